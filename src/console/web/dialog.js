/* SPDX-License-Identifier: ISC */
/*
 * dialog.js: a dialog in the middle, or a drawer at the side. The browser's own <dialog> keeps the focus inside, closes
 * on Escape; whoever had the focus before gets it back.
 */
import { html, useEffect, useId, useRef } from './html.js';
import { Icon } from './icons.js';

/* Shown as long as it is rendered; `onClose` must take it away. `kind`: 'dialog' or 'drawer'. */
export function Dialog({ title, onClose, kind = 'dialog', actions, children }) {
  const dialog = useRef(null);
  const id = useId();

  useEffect(() => {
    const element = dialog.current;
    const opener = document.activeElement;

    element.showModal();
    return () => {
      element.close();
      opener?.focus(); /* by hand, as the dialog may have left the page by now */
    };
  }, []);
  const onCancel = (event) => {
    event.preventDefault();
    onClose();
  };
  const onClick = (event) => event.target === dialog.current && onClose();

  return html`<dialog class=${kind} ref=${dialog} aria-labelledby=${id} onCancel=${onCancel} onClick=${onClick}>
    <div class="sheet">
      <header><h2 id=${id}>${title}</h2>
        <button type="button" class="plain" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button></header>
      <div class="content">${children}</div>
      ${actions && html`<footer>${actions}</footer>`}
    </div>
  </dialog>`;
}

export function Drawer(properties) {
  return html`<${Dialog} ...${properties} kind="drawer" />`;
}
