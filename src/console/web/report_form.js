/* SPDX-License-Identifier: ISC */
/*
 * report_form.js: a new report: of what, in which form, and what it would hold and cost before it is asked for.
 */
import { useAction } from './action.js';
import { html, useEffect, useState } from './html.js';
import { CheckField, Field, SelectField, TextField } from './form.js';
import { formatAmount, formatBytes, formatCount, formatMinute } from './format.js';
import { useLoad } from './load.js';
import { Card } from './page.js';
import { RangePicker } from './range.js';
import { DirectionField, FilterForm } from './records_find.js';
import { columnsOf } from './records_table.js';
import { bodyOf, compressions, createReport, estimateReport, exactRange, formats, loadDestinations, sizeOf } from './reports_data.js';
import { setParams } from './router.js';
import { createSchedule, rhythms } from './schedules.js';
import { AccountField, FilterChips, ProductField, labelOf, queryOf } from './scope.js';
import { rangeOf } from './time.js';
import { toast } from './toast.js';

const PAUSE_MS = 300;

const onChange = (changes) => setParams(changes, { replace: true });

/* The value once it has not changed for a moment. */
function useSettled(value) {
  const [settled, setSettled] = useState(value);

  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

function choiceOf(params, callback) {
  return {
    message: params.message === 'yes',
    format: formats.some(({ value }) => value === params.format) ? params.format : 'csv',
    compression: compressions.some(({ value }) => value === params.compression) ? params.compression : 'zip',
    columns: (params.cols ?? '').split(',').filter(Boolean),
    destination: params.deliver ?? '',
    callback,
  };
}

/* Records, size and price, as soon as nothing has changed for a moment. */
function Estimate({ body, reports }) {
  const { callback_url: called, destination, ...asked } = body;
  const key = useSettled(JSON.stringify(asked));
  const estimate = useLoad((signal) => estimateReport(JSON.parse(key), signal), [key]);
  const waiting = estimate.state === 'loading' || key !== JSON.stringify(asked);
  const { data } = estimate;
  const size = data && (sizeOf(data.items_count, asked, reports) ?? data.size_bytes);

  return html`<div class="estimate" role="status" aria-busy=${waiting ? 'true' : 'false'}>
    ${estimate.error ? html`<p class="notice bad">${estimate.error.invalid[0] ? `${estimate.error.invalid[0].name}: ${estimate.error.invalid[0].reason}` : estimate.error.message}</p>` : html`<dl class=${waiting ? 'stale' : ''}>
      <div><dt>Records</dt><dd>${data ? `${data.exact ? '' : 'about '}${formatCount(data.items_count)}` : '…'}</dd></div>
      <div><dt>Size</dt><dd>${data ? `about ${formatBytes(size)}` : '…'}</dd></div>
      <div><dt>Price</dt><dd>${data ? formatAmount(data.price, data.currency ?? '') : '…'}</dd></div>
    </dl>
    ${data?.truncated_at && html`<p class="notice warn">A report has at most ${formatCount(data.truncated_at)} records: the rest would be cut off. Choose fewer dates or more filters.</p>`}`}
  </div>`;
}

function Dates({ params, range }) {
  return params.exact && range
    ? html`<${Field} label="Dates">${(control) => html`<span class="exact" ...${control}>${formatMinute(range.from, params.zone)} to ${formatMinute(range.to, params.zone)}
        <button type="button" class="link" onClick=${() => onChange({ exact: '' })}>Choose others</button></span>`}</${Field}>`
    : html`<${RangePicker} params=${params} onChange=${onChange} />`;
}

/* The destinations of the account and the operator, if there are any. */
function DestinationField({ params }) {
  const { data } = useLoad(loadDestinations, []);
  const options = [{ value: '', label: 'Nobody: it is fetched' }, ...(data ?? []).map(({ name }) => ({ value: name, label: name }))];

  return options.length > 1 && html`<${SelectField} label="Deliver to" value=${params.deliver ?? ''} options=${options} onValue=${(deliver) => onChange({ deliver })} />`;
}

/* Once, or again and again. */
function OftenField({ params }) {
  const options = [{ value: '', label: 'Once' }, ...rhythms.map(({ value, label }) => ({ value, label }))];

  return html`<${SelectField} label="How often" value=${params.every ?? ''} options=${options} onValue=${(every) => onChange({ every, exact: '' })} />`;
}

function Columns({ product, choice, params }) {
  const [open, setOpen] = useState(choice.columns.length > 0);
  const columns = columnsOf(product, { withMessage: choice.message }).map(({ name }) => name);
  const chosen = choice.columns.length > 0 ? choice.columns : columns;
  const onColumn = (name, on) => {
    const names = columns.filter((one) => (one === name ? on : chosen.includes(one)));
    onChange({ cols: names.length === columns.length ? '' : names.join(',') });
  };

  return html`<div class="columns"><p>Columns: <b>${chosen.length === columns.length ? 'all' : `${chosen.length} of ${columns.length}`}</b>
      <button type="button" class="link" aria-expanded=${open ? 'true' : 'false'} onClick=${() => setOpen(!open)}>${open ? 'Hide' : 'Choose'}</button>
      ${params.cols && html`<button type="button" class="link" onClick=${() => onChange({ cols: '' })}>All</button>`}</p>
    ${open && html`<div class="choices">${columns.map((name) => html`<${CheckField} key=${name} label=${labelOf(name)} checked=${chosen.includes(name)}
      disabled=${chosen.length === 1 && chosen.includes(name)} onValue=${(on) => onColumn(name, on)} />`)}</div>`}</div>`;
}

/* onMade is called when the report or the schedule is there; product is described already. */
export function ReportForm({ params, account, own, products, product, reports, onMade, onClose }) {
  const [callback, setCallback] = useState('');
  const choice = choiceOf(params, callback);
  const range = exactRange(params.exact) ?? rangeOf(params);
  const zone = params.zone || rangeOf(params).zone;
  const body = bodyOf({ query: queryOf(params, account), range, zone, product, choice });
  const rhythm = rhythms.find(({ value }) => value === params.every);
  const { busy, error, run } = useAction(() => (rhythm ? createSchedule(body, rhythm, zone) : createReport(body)), () => {
    toast(rhythm ? 'The schedule is set' : 'The report is being made');
    onMade();
  });
  const wrong = (name) => error?.invalid.find((one) => one.name === name)?.reason;

  return html`<${Card} title="New report" actions=${html`<button type="button" class="button small" onClick=${onClose}>Close</button>`}>
    <div class="inside new-report">
      <form class="filters" aria-label="Records of the report" onSubmit=${(event) => event.preventDefault()}>
        <${ProductField} params=${params} products=${products} onChange=${(changes) => onChange({ ...changes, cols: '' })} />
        <${AccountField} params=${params} own=${own} onChange=${onChange} />
        <${DirectionField} product=${product} params=${params} onChange=${onChange} />
        <${OftenField} params=${params} />
        <${Dates} params=${params} range=${exactRange(params.exact)} />
      </form>
      ${product.filters.some(({ name }) => name !== 'direction') && html`<${FilterForm} key=${product.name} product=${product} onChange=${onChange} />`}
      <${FilterChips} params=${{ ...params, 'f.direction': '' }} onChange=${onChange} />
      <form class="filters" aria-label="Form of the file" onSubmit=${(event) => event.preventDefault()}>
        <${SelectField} label="Format" value=${choice.format} options=${formats} onValue=${(format) => onChange({ format })} />
        ${choice.format !== 'parquet' && html`<${SelectField} label="Compression" value=${choice.compression} options=${compressions} onValue=${(compression) => onChange({ compression })} />`}
        <${DestinationField} params=${params} />
        <${TextField} label="Callback URL (optional)" type="url" class="wide" placeholder="https://example.com/report-ended" value=${callback} onValue=${setCallback} error=${wrong('callback_url')} />
        ${product.has_message && html`<${CheckField} label="Message bodies" checked=${choice.message} onValue=${(on) => onChange({ message: on ? 'yes' : '' })} />`}
      </form>
      <${Columns} product=${product} choice=${choice} params=${params} />
      ${rhythm && html`<p class="notice">${rhythm.label} at 06:00 in the time zone ${zone.replaceAll('_', ' ')}: a report of ${rhythm.of}. The dates above are for the estimate alone.</p>`}
      <form class="create" onSubmit=${run}>
        <${Estimate} body=${body} reports=${reports} />
        <button type="submit" class="button first" disabled=${busy}>${rhythm ? 'Set the schedule' : 'Make the report'}</button>
      </form>
      ${error && !wrong('callback_url') && html`<div class="notice bad" role="alert"><p>${error.message}</p>
        ${error.invalid.length > 0 && html`<ul>${error.invalid.map((one) => html`<li key=${one.name}>${one.name}: ${one.reason}</li>`)}</ul>`}</div>`}
    </div>
  </${Card}>`;
}
