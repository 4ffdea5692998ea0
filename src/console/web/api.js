/* SPDX-License-Identifier: ISC */
/*
 * api.js: requests to the public API, as any client makes them.
 *
 *	const page = await get('/v2/reports/records', { account_id: 'abcd1234', product: 'SMS' }, { signal });
 *
 * They carry the credentials of session.js, if it has any, or the session's cookie. Each says that a script made it, so
 * that the browser never asks for a password itself and the cookie is accepted (auth.c).
 *
 * What passes by itself is waited for: 429 as long as Retry-After says, 503 and a server that cannot be reached with
 * growing delays, until the signal aborts. `connection` says what is being waited for. Requests that are not repeatable,
 * POST without an idempotency key, are not sent again when nobody knows whether they have arrived.
 */
import { Store } from './store.js';

const FIRST_DELAY_MS = 500;
const DELAY_MAX_MS = 10000;

/* null, or { kind: 'limit' | 'busy' | 'offline', until: when the next attempt begins, as of Date.now() }. */
export const connection = new Store(null);

/* The answer was an error: a problem document's members, or what there was instead. */
export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The server answered with ${status}.`);
    this.status = status;
    this.title = problem.title ?? '';
    this.instance = problem.instance ?? '';
    this.invalid = problem.invalid_parameters ?? [];
  }
}

/* Statuses that pass by themselves, and what is being waited for then. */
const passing = { 429: 'limit', 502: 'busy', 503: 'busy', 504: 'busy' };

let authorization = null;
let onUnauthorized = () => {};

/* A header's value, or null for the cookie alone. */
export function setAuthorization(value) {
  authorization = value;
}

/* Called when credentials that were right are so no longer. */
export function whenUnauthorized(listener) {
  onUnauthorized = listener;
}

/* Relative to /console/, so that a proxy may serve everything below a folder of its own. */
export function urlOf(path, params = {}) {
  const url = new URL(`..${path}`, document.baseURI.replace(/[#?].*$/, ''));

  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== '') {
      url.searchParams.set(name, value);
    }
  }
  return url;
}

/* Until the time is over or the browser is online again; throws when the signal aborts. */
function sleep(ms, signal) {
  return new Promise((done, fail) => {
    const finished = new AbortController();
    const once = { once: true, signal: finished.signal };
    const timer = setTimeout(() => end(done), ms);
    const end = (how) => {
      clearTimeout(timer);
      finished.abort();
      how(signal?.reason);
    };

    globalThis.addEventListener('online', () => end(done), once);
    signal?.addEventListener('abort', () => end(fail), once);
  });
}

/* What each request that waits is waiting for; the last one is shown. */
const waiting = new Map();

async function wait(request, kind, ms, signal) {
  waiting.delete(request);
  waiting.set(request, { kind, until: Date.now() + ms });
  connection.set([...waiting.values()].at(-1));
  await sleep(ms, signal);
}

function noLongerWaits(request) {
  waiting.delete(request);
  connection.set([...waiting.values()].at(-1) ?? null);
}

async function problemOf(answer) {
  try {
    const problem = await answer.json();
    return problem && typeof problem === 'object' ? problem : {};
  } catch {
    return {};
  }
}

function delayOf(attempt) {
  return Math.min(DELAY_MAX_MS, FIRST_DELAY_MS * 2 ** attempt) * (0.75 + Math.random() / 4);
}

function retryAfterOf(answer, attempt) {
  const seconds = Number(answer?.headers.get('Retry-After'));

  return seconds > 0 ? seconds * 1000 : delayOf(attempt);
}

/* fetch(), and null when the server was not reached. */
async function attemptOf(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (options.signal?.aborted) {
      throw options.signal.reason;
    }
    if (!(error instanceof TypeError)) {
      throw error;
    }
    return null;
  }
}

/* Asks until there is an answer that is none of "try again later"; throws ApiError unless it is a good one. */
async function persist(url, options, repeatable) {
  try {
    for (let attempt = 0; ; attempt += 1) {
      const answer = await attemptOf(url, options);
      if (answer?.ok) {
        return answer;
      }
      if (!answer && !repeatable) {
        throw new ApiError(0, { detail: 'The server could not be reached, or the connection broke before it answered.' });
      }
      if (answer && !(answer.status in passing)) {
        throw new ApiError(answer.status, await problemOf(answer));
      }
      await wait(options, answer ? passing[answer.status] : 'offline', retryAfterOf(answer, attempt), options.signal);
    }
  } finally {
    noLongerWaits(options);
  }
}

/* The answer, whose status is a good one; throws ApiError. A body is written as JSON, unless it is a file, which the browser streams. */
export async function request(method, path, { params, body, headers = {}, signal, quiet = false } = {}) {
  const url = urlOf(path, params);
  const options = {
    method,
    signal,
    credentials: 'same-origin',
    cache: 'no-store',
    headers: { 'X-Requested-With': 'cdrd-console', ...headers },
  };
  const repeatable = method === 'GET' || method === 'DELETE' || 'Idempotency-Key' in headers;

  if (authorization && !('Authorization' in options.headers)) {
    options.headers.Authorization = authorization;
  }
  if (body instanceof Blob) {
    options.body = body;
    options.headers['Content-Type'] = body.type || 'application/octet-stream';
  } else if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers['Content-Type'] = 'application/json';
  }
  try {
    return await persist(url, options, repeatable);
  } catch (error) {
    if (error.status === 401 && !quiet) {
      onUnauthorized();
    }
    throw error;
  }
}

export async function get(path, params, options) {
  const answer = await request('GET', path, { ...options, params });

  return answer.status === 204 ? null : answer.json();
}

export async function post(path, body, options) {
  const answer = await request('POST', path, { ...options, body });

  return answer.status === 204 ? null : answer.json();
}

export async function remove(path, options) {
  await request('DELETE', path, options);
}

/* What a link of an answer asks for. Its host may be the one that customers see, which need not be this one. */
export function followLink(href, options) {
  const { pathname, searchParams } = new URL(href);
  const path = pathname.slice(Math.max(0, pathname.search(/\/v[0-9]+\//)));

  return get(path, Object.fromEntries(searchParams), options);
}
