/* SPDX-License-Identifier: ISC */
/*
 * bar.js: a share of something, from 0 to 1, as a bar. Its width is set by script, as the page's policy allows no style in
 * markup.
 */
import { html, useEffect, useRef } from './html.js';

/* Anything else goes to the element: role, aria-label, ... */
export function Bar({ share, ...more }) {
  const bar = useRef(null);

  useEffect(() => {
    bar.current.style.width = `${share * 100}%`;
  }, [share]);
  return html`<span ...${more} class="bar"><i ref=${bar}></i></span>`;
}
