/* SPDX-License-Identifier: ISC */
/*
 * quarantine_drawer.js: one rejected record: why, what was sent, and mending it: fields are given other values, and the
 * record is ingested again.
 */
import { useAction } from './action.js';
import { ask, change } from './commands.js';
import { Drawer } from './dialog.js';
import { formatCount, formatTime } from './format.js';
import { TextField } from './form.js';
import { html, useState } from './html.js';
import { Icon } from './icons.js';
import { useLoad } from './load.js';
import { Loaded } from './states.js';
import { toast } from './toast.js';

const COUNTS = ['accepted', 'updated', 'duplicates', 'outdated', 'rejected'];

export function ReplayResult({ result }) {
  const parts = COUNTS.filter((name) => result[name] > 0).map((name) => `${formatCount(result[name])} ${name}`);
  const kind = result.rejected > 0 ? 'bad' : 'good';

  return html`<div class="notice ${kind}" role=${kind === 'bad' ? 'alert' : 'status'}>
    <p>${parts.length > 0 ? parts.join(', ') : 'There was nothing to replay'}.</p>
    ${result.errors?.length > 0 && html`<ul>${result.errors.map(({ field, reason }, n) => html`<li key=${n}><b><bdi>${field}</bdi></b> <bdi>${reason}</bdi></li>`)}</ul>`}</div>`;
}

/* A text of the record that is not one stays as it is on the screen: JSON. */
const textOf = (value) => (value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value));

function Mend({ changes, onChanges }) {
  const set = (at, part) => onChanges(changes.map((one, n) => (n === at ? { ...one, ...part } : one)));

  return html`<fieldset class="mend"><legend>Mend</legend>
    ${changes.map((one, n) => html`<div class="pair" key=${n}>
      <${TextField} label="Field" name=${`field-${n}`} autocomplete="off" spellcheck=${false} value=${one.field} onValue=${(field) => set(n, { field })} />
      <${TextField} label="New value" name=${`value-${n}`} autocomplete="off" spellcheck=${false} value=${one.value} onValue=${(value) => set(n, { value })} hint=${one.value === '' ? 'Empty: the field is left out.' : ''} /></div>`)}
    <button type="button" class="link" onClick=${() => onChanges([...changes, { field: '', value: '' }])}><${Icon} name="plus" />Another field</button>
  </fieldset>`;
}

/* As the command takes it: what has no value is left out of the record. */
function argsOf(number, changes) {
  const named = changes.filter(({ field }) => field.trim());

  return {
    number: [String(number)],
    set: named.filter(({ value }) => value !== '').map(({ field, value }) => `${field.trim()}=${value}`),
    unset: named.filter(({ value }) => value === '').map(({ field }) => field.trim()),
  };
}

function Entry({ entry, onClose, onDone }) {
  const record = entry.record && typeof entry.record === 'object' ? entry.record : null;
  const [changes, setChanges] = useState([{ field: entry.field, value: textOf(record?.[entry.field]) }]);
  const [result, setResult] = useState(null);
  const ended = (text) => {
    toast(text);
    onDone();
    onClose();
  };
  const replay = useAction(() => change('quarantine-replay', argsOf(entry.number, record ? changes : [])), (done) => {
    setResult(done);
    if (done.rejected === 0) {
      ended(`Record ${entry.number} was ingested`);
    }
  });
  const drop = useAction(() => change('quarantine-drop', { number: [String(entry.number)] }), () => ended(`Record ${entry.number} was dropped`));
  const error = replay.error ?? drop.error;
  const busy = replay.busy || drop.busy;

  return html`
    <dl class="facts">
      <div><dt>Reason</dt><dd><bdi>${entry.reason}</bdi></dd></div>
      <div><dt>Came</dt><dd>${formatTime(entry.time)}, as ${entry.format}, from <bdi>${entry.producer}</bdi></dd></div>
      <div><dt>Account</dt><dd><bdi>${entry.account}</bdi></dd></div>
      <div><dt>Record</dt><dd><bdi>${entry.product} ${entry.id}</bdi></dd></div>
    </dl>
    <form onSubmit=${replay.run}>
      ${record ? html`<${Mend} changes=${changes} onChanges=${setChanges} />` : html`<p class="quiet">It cannot be read, so that no field of it can be mended here; cdrctl quarantine replay --replace-with can.</p>`}
      ${result?.rejected > 0 && html`<${ReplayResult} result=${result} />`}
      ${error && html`<p class="notice bad" role="alert">${error.message}</p>`}
      <p class="pager"><button type="button" class="button danger" disabled=${busy} onClick=${drop.run}>Drop</button>
        <button type="submit" class="button first" disabled=${busy}>${record ? 'Mend and replay' : 'Replay'}</button></p>
    </form>
    <section class="code"><header><h3>As it was sent</h3></header>
      <pre tabindex="0">${record ? JSON.stringify(record, null, 2) : entry.record}</pre></section>`;
}

export function QuarantineDrawer({ number, onClose, onDone }) {
  const entry = useLoad((signal) => ask('quarantine-show', { number }, { signal }), [number]);

  return html`<${Drawer} title="Rejected record ${number}" onClose=${onClose}>
    <${Loaded} from=${entry}>${(data) => html`<${Entry} entry=${data} onClose=${onClose} onDone=${onDone} />`}</${Loaded}></${Drawer}>`;
}
