/* SPDX-License-Identifier: ISC */
/*
 * form.js: fields with a label, a hint and what is wrong with them.
 */
import { classes, html, useId } from './html.js';

/* `children` is a function of what the control must have: { id, 'aria-describedby', 'aria-invalid' }. */
export function Field({ label, hint, error, children, class: name }) {
  const id = useId();
  const described = classes(hint && `${id}-hint`, error && `${id}-error`) || undefined;

  return html`<div class=${classes('field', error && 'wrong', name)}>
    <label for=${id}>${label}</label>
    ${children({ id, 'aria-describedby': described, 'aria-invalid': error ? 'true' : undefined })}
    ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
    ${error && html`<p class="error" id="${id}-error">${error}</p>`}
  </div>`;
}

/* Anything else goes to the <input>: type, name, required, placeholder, autocomplete, ... */
export function TextField({ label, hint, error, class: name, value, onValue, ...more }) {
  return html`<${Field} label=${label} hint=${hint} error=${error} class=${name}>
    ${(control) => html`<input ...${more} ...${control} value=${value} onInput=${(event) => onValue(event.target.value)} />`}
  </${Field}>`;
}

/* options: [{ value, label }] or texts. */
export function SelectField({ label, hint, error, class: name, value, onValue, options, ...more }) {
  return html`<${Field} label=${label} hint=${hint} error=${error} class=${name}>
    ${(control) => html`<select ...${more} ...${control} value=${value} onChange=${(event) => onValue(event.target.value)}>
      ${options.map((option) => {
    const { value: own, label: text } = typeof option === 'string' ? { value: option, label: option } : option;
    return html`<option key=${own} value=${own} selected=${own === value}>${text}</option>`;
  })}
    </select>`}
  </${Field}>`;
}

export function CheckField({ label, hint, checked, onValue, ...more }) {
  const id = useId();

  return html`<div class="check"><input ...${more} type="checkbox" id=${id} checked=${checked}
      aria-describedby=${hint ? `${id}-hint` : undefined} onChange=${(event) => onValue(event.target.checked)} />
    <label for=${id}>${label}</label>${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}</div>`;
}
