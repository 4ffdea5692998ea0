/* SPDX-License-Identifier: ISC */
/*
 * callback_state.js: what became of a callback, as a badge.
 */
import { html } from './html.js';

const kinds = { delivered: 'good', waiting: 'busy', failed: 'bad' };

export function CallbackState({ state }) {
  return html`<span class="badge ${kinds[state] ?? ''}">${state}</span>`;
}
