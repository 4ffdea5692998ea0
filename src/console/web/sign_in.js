/* SPDX-License-Identifier: ISC */
/*
 * sign_in.js: account and secret. A wrong secret is answered later each time; the button says that it is being checked.
 */
import { connection } from './api.js';
import { html, useEffect, useState } from './html.js';
import { CheckField, TextField } from './form.js';
import { ThemeButton } from './layout.js';
import { realm, session, signIn } from './session.js';
import { useStore } from './store.js';

function messageOf(error) {
  return error.status === 401 ? realm.wrong : error.message;
}

function hintOf(state, busy) {
  if (state?.kind === 'limit') {
    return 'There were many wrong attempts. This one waits for its turn…';
  }
  return state ? 'The server cannot be reached. Trying again…' : busy ? 'Checking…' : '';
}

export function SignIn() {
  const { reason } = useStore(session);
  const state = useStore(connection);
  const [account, setAccount] = useState('');
  const [secret, setSecret] = useState('');
  const [keep, setKeep] = useState(false);
  const [busy, setBusy] = useState(null);
  const [error, setError] = useState('');

  useEffect(() => () => busy?.abort(), [busy]);
  const onSubmit = async (event) => {
    const abort = new AbortController();

    event.preventDefault();
    setBusy(abort);
    setError('');
    try {
      await signIn(account.trim(), secret, keep, abort.signal);
    } catch (failure) {
      if (!abort.signal.aborted) {
        setError(messageOf(failure));
        setBusy(null);
      }
    }
  };

  return html`<main class="sign-in">
    <form class="card" onSubmit=${onSubmit}>
      <div class="brand"><span><span class="logo" aria-hidden="true"></span>cdrd</span><${ThemeButton} /></div>
      <h1>Sign in</h1>
      <p class="quiet">${realm.about}</p>
      ${(error || reason) && html`<p class="notice bad" role="alert">${error || reason}</p>`}
      <${TextField} label=${realm.name} name="account" required autofocus autocomplete="username" autocapitalize="none" spellcheck=${false} value=${account} onValue=${setAccount} />
      <${TextField} label="Secret" name="secret" type="password" required autocomplete="current-password" value=${secret} onValue=${setSecret} />
      ${realm.keeps && html`<${CheckField} label="Stay signed in" hint="Otherwise a reload of the page asks again." checked=${keep} onValue=${setKeep} />`}
      <button type="submit" class="button first" disabled=${busy !== null}>Sign in</button>
      <p class="quiet status" role="status">${hintOf(state, busy)}</p>
    </form>
  </main>`;
}
