/* SPDX-License-Identifier: ISC */
/*
 * page_webhooks.js: the callbacks of the account: what was sent, what was answered, the secret that signs it, a test.
 */
import { get, post } from './api.js';
import { CallbackState } from './callback_state.js';
import { html, useCallback, useState } from './html.js';
import { useAction } from './action.js';
import { Dialog } from './dialog.js';
import { TextField } from './form.js';
import { formatAgo, formatCount, formatTime } from './format.js';
import { Icon } from './icons.js';
import { useInterval, useLoad } from './load.js';
import { Card, PageHead } from './page.js';
import { Empty, Loaded } from './states.js';
import { Table } from './table.js';
import { copyText, toast } from './toast.js';

const PATH = '/v2/account/webhook';
const PAGE = 50;
const AGAIN_MS = 3000;

function outcomeOf({ status, error }) {
  return status !== null ? `HTTP ${status}` : error ?? '';
}

const columns = [
  { key: 'time', label: 'Time', cell: ({ time }) => html`<time datetime=${time} title=${formatTime(time)}>${formatAgo(time)}</time>` },
  { key: 'state', label: 'State', cell: ({ state }) => html`<${CallbackState} state=${state} />` },
  { key: 'kind', label: 'Kind', cell: ({ kind }) => html`<span class="badge">${kind}</span>` },
  { key: 'url', label: 'URL', class: 'wrap', cell: ({ url }) => html`<bdi>${url}</bdi>` },
  { key: 'outcome', label: 'Answer', class: 'wrap', cell: (row) => outcomeOf(row) },
  { key: 'attempt', label: 'Attempt', number: true, cell: ({ attempt }) => formatCount(attempt) },
  { key: 'duration', label: 'Took', number: true, cell: ({ duration_ms: ms }) => `${formatCount(ms)} ms` },
];

function Attempts({ first, onTest }) {
  const [older, setOlder] = useState([]);
  const [busy, setBusy] = useState(false);
  const all = [...first, ...older.filter(({ number }) => !first.some((one) => one.number === number))];
  const [ended, setEnded] = useState(false);
  const more = async () => {
    setBusy(true);
    try {
      const page = await get(PATH, { limit: PAGE, before: all.at(-1).number });
      setOlder([...older, ...page.attempts]);
      setEnded(page.attempts.length < PAGE);
    } catch (error) {
      toast(error.message, 'bad');
    }
    setBusy(false);
  };

  return html`<${Card} title="Attempts" about="The last ones first. What was not delivered is tried again for a day.">
    ${all.length === 0 ? html`<${Empty} title="Nothing was sent yet" icon="webhooks"><p>A report that was asked for with a callback URL announces its end there.</p>
      <p><button type="button" class="button" onClick=${onTest}>Send a test</button></p></${Empty}>`
    : html`<${Table} caption="Attempts" columns=${columns} rows=${all} keyOf=${({ number }) => number} />`}
    ${first.length >= PAGE && !ended && html`<p class="more"><button type="button" class="button small" disabled=${busy} onClick=${more}>Older ones</button></p>`}
  </${Card}>`;
}

function SecretText({ label, secret, children }) {
  const [shown, setShown] = useState(false);

  return html`<div class="secret"><span class="quiet">${label}</span>
    <code>${shown ? secret : `whsec_${'•'.repeat(24)}`}</code>
    <button type="button" class="button small" aria-label=${shown ? `Hide: ${label}` : `Show: ${label}`} onClick=${() => setShown(!shown)}>${shown ? 'Hide' : 'Show'}</button>
    <button type="button" class="button small" aria-label=${`Copy: ${label}`} onClick=${() => copyText(secret, 'The secret was copied')}><${Icon} name="copy" />Copy</button>
    ${children}</div>`;
}

function Secret({ signing, onRotate }) {
  return html`<${Card} title="Signing secret" about="Each callback is signed with it, so that you can tell that it is genuine."
      actions=${html`<button type="button" class="button small" onClick=${onRotate}><${Icon} name="refresh" />${signing ? 'Rotate' : 'Make one'}</button>`}>
    <div class="inside">${signing ? html`
      <${SecretText} label="Secret" secret=${signing.secret}><span class="quiet">made ${formatAgo(signing.created)}</span></${SecretText}>
      ${signing.previous_secret && html`<${SecretText} label="Previous secret" secret=${signing.previous_secret}><span class="quiet">also signs until ${formatTime(signing.previous_until)}</span></${SecretText}>`}`
    : html`<p class="quiet">There is none yet: the first callback makes one, or you do.</p>`}</div>
  </${Card}>`;
}

function RotateDialog({ signing, onClose, onDone }) {
  const action = useAction(() => post(`${PATH}/rotate`), () => {
    toast('There is a new secret');
    onDone();
  });

  return html`<${Dialog} title=${signing ? 'Rotate the secret' : 'Make a secret'} onClose=${onClose} actions=${html`
      <button type="button" class="button" onClick=${onClose}>Cancel</button>
      <button type="button" class="button first" disabled=${action.busy} onClick=${action.run}>${signing ? 'Rotate' : 'Make it'}</button>`}>
    <p>${signing ? 'Callbacks are then signed with a new secret. The present one also signs for a while, so that receivers can change over.' : 'Callbacks are signed with it from now on.'}</p>
    ${signing?.previous_secret && html`<p class="notice warn">The previous secret, which still signs, ends at once.</p>`}
    ${action.error && html`<p class="notice bad" role="alert">${action.error.message}</p>`}
  </${Dialog}>`;
}

function TestDialog({ onClose, onDone }) {
  const [url, setUrl] = useState('');
  const action = useAction(() => post(`${PATH}/test`, { url: url.trim() }), () => {
    toast('A test is on its way; its attempt appears in the list');
    onDone();
  });
  const wrong = action.error?.invalid?.find(({ name }) => name === 'url')?.reason;

  return html`<${Dialog} title="Send a test" onClose=${onClose} actions=${html`
      <button type="button" class="button" onClick=${onClose}>Cancel</button>
      <button type="submit" form="test" class="button first" disabled=${action.busy}>Send</button>`}>
    <form id="test" onSubmit=${action.run}>
      <${TextField} label="URL" type="url" name="url" required autofocus placeholder="https://example.com/webhook" value=${url} onValue=${setUrl} error=${wrong}
        hint="It gets one signed POST, as reports send them." />
      ${action.error && !wrong && html`<p class="notice bad" role="alert">${action.error.message}</p>`}
    </form>
  </${Dialog}>`;
}

export function Page() {
  const webhook = useLoad((signal) => get(PATH, { limit: PAGE }, { signal }), []);
  const [open, setOpen] = useState('');
  const done = useCallback(() => {
    setOpen('');
    webhook.reload();
  }, [webhook.reload]);
  const close = () => setOpen('');

  useInterval(webhook.reload, AGAIN_MS, webhook.state === 'ready');
  return html`<${PageHead} title="Webhooks" about="Callbacks that tell your servers of reports.">
      <button type="button" class="button" onClick=${() => setOpen('test')}>Send a test</button></${PageHead}>
    <${Loaded} from=${webhook}>${({ attempts, signing, held }) => html`
      ${held && html`<p class="notice warn">Callbacks are held by the operator at the moment. They are kept, and sent later.</p>`}
      <${Secret} signing=${signing} onRotate=${() => setOpen('rotate')} />
      <${Attempts} first=${attempts} onTest=${() => setOpen('test')} />
      ${open === 'rotate' && html`<${RotateDialog} signing=${signing} onClose=${close} onDone=${done} />`}
      ${open === 'test' && html`<${TestDialog} onClose=${close} onDone=${done} />`}`}
    </${Loaded}>`;
}
