/* SPDX-License-Identifier: ISC */
/*
 * session.js: who is signed in.
 *
 * The secret is in this tab's memory alone, as the header made of it, and gone with a reload; or, if the user wants to
 * stay signed in, in nothing at all: the server's cookie stands for it, which scripts cannot read.
 */
import { get, post, remove, setAuthorization, whenUnauthorized } from './api.js';
import { Store } from './store.js';
import { toast } from './toast.js';

/* Who signs in: customers, unless setRealm says otherwise. */
export const realm = {
  name: 'Account',
  about: 'With the account and secret that you use for the Reports API.',
  wrong: 'This account and secret do not belong together, or the account is disabled.',
  keeps: true, /* may sessions be kept by a cookie? */
  find: async (options) => (await get('/v2/account', { limit: 1 }, options)).account_id, /* whose the credentials are */
};

/* Before anything is shown. */
export function setRealm(changes) {
  Object.assign(realm, changes);
}

/* { state: 'unknown' | 'out' | 'in', account: its id, kept: by a cookie?, reason: why the user was signed out, or '' } */
export const session = new Store({ state: 'unknown', account: '', kept: false, reason: '' });

function basic(account, secret) {
  const bytes = new TextEncoder().encode(`${account}:${secret}`);

  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

function signedOut(reason) {
  setAuthorization(null);
  session.set({ state: 'out', account: '', kept: false, reason });
}

whenUnauthorized(() => {
  if (session.value.state === 'in') {
    signedOut('You were signed out: the session has ended, or the secret was revoked.');
  }
});

/* Is there a session that a cookie keeps? */
export async function resume() {
  const found = realm.keeps ? await get('/console/session', {}, { quiet: true }).catch(() => null) : null;

  if (found) {
    session.set({ state: 'in', account: found.account_id, kept: true, reason: '' });
  } else {
    signedOut('');
  }
}

/* Throws ApiError; with status 401 if account or secret are wrong. */
export async function signIn(account, secret, keep, signal) {
  const authorization = basic(account, secret);
  const options = { headers: { Authorization: authorization }, quiet: true, signal };
  const found = keep ? (await post('/console/session', undefined, options)).account_id : await realm.find(options);
  /* A browser keeps no such cookie without TLS, except from its own machine. */
  const kept = keep && (await get('/console/session', {}, { quiet: true, signal })) !== null;

  setAuthorization(kept ? null : authorization);
  session.set({ state: 'in', account: found, kept, reason: '' });
  if (keep && !kept) {
    toast('The browser does not keep the session, as the console is not served over HTTPS. A reload will ask again.', 'bad');
  }
}

/* A session that the server has not ended is kept by the browser: whoever reloads the page would be signed in. */
export async function signOut() {
  try {
    if (session.value.kept) {
      await remove('/console/session', { quiet: true });
    }
  } catch (error) {
    if (error.status !== 401) { /* or else the session was over already */
      toast(`You are still signed in: ${error.message}`, 'bad');
      return;
    }
  }
  signedOut('');
}
