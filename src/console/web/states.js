/* SPDX-License-Identifier: ISC */
/*
 * states.js: what stands where data would: while it is read, when there is none, when it could not be had.
 */
import { html } from './html.js';
import { Icon } from './icons.js';

export function Loading({ label = 'Loading…', lines = 4 }) {
  return html`<div class="loading" role="status" aria-busy="true">
    <span class="hidden">${label}</span>
    ${Array.from({ length: lines }, (_, n) => html`<span class="bone" key=${n}></span>`)}
  </div>`;
}

/* `children` say why, and what can be done. */
export function Empty({ title, icon = 'empty', children }) {
  return html`<div class="empty"><${Icon} name=${icon} /><h2>${title}</h2>${children && html`<div>${children}</div>`}</div>`;
}

function titleOf(error) {
  switch (error.status) {
    case 403: return 'Not allowed';
    case 404: return 'Not found';
    case 0: return 'No answer';
    default: return error.title || 'That did not work';
  }
}

/* An ApiError, or any other; what is wrong with single parameters is listed. */
export function Failure({ error, retry }) {
  return html`<div class="failure" role="alert">
    <${Icon} name="alert" />
    <div>
      <h2>${titleOf(error)}</h2>
      <p>${error.message}</p>
      ${error.invalid?.length > 0 && html`<ul>${error.invalid.map((one) => html`<li key=${one.name}><b>${one.name}</b> ${one.reason}</li>`)}</ul>`}
      ${error.instance && html`<p class="quiet">Reference for support: <code>${error.instance}</code></p>`}
      ${retry && html`<p><button type="button" class="button" onClick=${retry}>Try again</button></p>`}
    </div>
  </div>`;
}

/* What useLoad has: `children` is a function of the data; `empty` says that there is nothing in it. */
export function Loaded({ from, lines, children }) {
  if (from.error) {
    return html`<${Failure} error=${from.error} retry=${from.reload} />`;
  }
  if (!from.data) {
    return html`<${Loading} lines=${lines} />`;
  }
  return html`<div class=${from.state === 'loading' ? 'stale' : ''} aria-busy=${from.state === 'loading'}>${children(from.data)}</div>`;
}
