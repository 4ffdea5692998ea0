/* SPDX-License-Identifier: ISC */
/*
 * html.js: what every component imports: html`<p>${text}</p>` makes elements of preact; hooks keep state.
 *
 * A text between the tags or in an attribute is always text: nothing in the console makes HTML of data.
 */
import { h } from './preact.js';
import htm from './htm.js';

export { Fragment, createContext, h, render } from './preact.js';
export { useCallback, useContext, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from './hooks.js';

export const html = htm.bind(h);

/* "a b" of the names given, without those that are false or empty. */
export function classes(...names) {
  return names.filter(Boolean).join(' ');
}
