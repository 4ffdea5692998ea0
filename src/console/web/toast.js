/* SPDX-License-Identifier: ISC */
/*
 * toast.js: short messages that go by themselves. What must be read stands in the page instead.
 */
import { html } from './html.js';
import { Icon } from './icons.js';
import { Store, useStore } from './store.js';

const SHOWN_MS = 6000;
const toasts = new Store([]);
let last = 0;

/* kind: 'good' or 'bad' */
export function toast(text, kind = 'good') {
  const id = last += 1;

  toasts.set([...toasts.value, { id, text, kind }]);
  setTimeout(() => toasts.set(toasts.value.filter((one) => one.id !== id)), SHOWN_MS);
}

export function Toasts() {
  const shown = useStore(toasts);

  return html`<div class="toasts" role="status" aria-live="polite">
    ${shown.map(({ id, text, kind }) => html`<p key=${id} class=${kind}><${Icon} name=${kind === 'good' ? 'check' : 'alert'} />${text}</p>`)}
  </div>`;
}

/* Puts a text into the clipboard, and says so. */
export async function copyText(text, what = 'Copied') {
  try {
    await navigator.clipboard.writeText(text);
    toast(what);
  } catch {
    toast('The browser does not let this page copy; mark the text instead.', 'bad');
  }
}
