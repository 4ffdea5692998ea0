/* SPDX-License-Identifier: ISC */
/*
 * usage_chart.js: the sums of a range beside those of the period before, and one of them over time.
 */
import { Chart } from './chart.js';
import { compare, ratio } from './decimal.js';
import { classes, html, useCallback, useMemo, useState } from './html.js';
import { digitsOfAll, formatAmount, formatChange, formatCount, formatDate, formatDay, formatHour, formatMinute, formatMinutes, formatMonth, formatShort } from './format.js';
import { Icon } from './icons.js';
import { Card } from './page.js';
import { Table } from './table.js';
import { addDays, dayOf, textOfDay } from './time.js';
import { currenciesOf } from './usage_data.js';

/*
 * What can be shown of sums: { key, label, and functions of sums: text: as it is read (an amount with that many digits at
 * least), exact: a decimal, short: a number for the axis, of a number }.
 */
function metricsOf(usage) {
  const list = [{ key: 'count', label: 'Records', text: ({ count }) => formatCount(count), exact: ({ count }) => String(count), short: formatShort }];

  if (usage.total.duration !== null || usage.before.duration !== null) {
    list.push({
      key: 'minutes', label: 'Minutes', text: ({ duration }) => formatMinutes(duration ?? '0'), exact: ({ duration }) => duration ?? '0',
      short: (seconds) => formatShort(seconds / 60),
    });
  }
  for (const currency of currenciesOf([usage.total, usage.before])) {
    list.push({
      key: currency, label: `Amount in ${currency || 'no currency'}`, text: ({ amounts }, digits) => formatAmount(amounts.get(currency) ?? '0', currency, digits),
      exact: ({ amounts }) => amounts.get(currency) ?? '0', short: formatShort,
    });
  }
  return list;
}

const chosenOf = (metrics, key) => metrics.find((one) => one.key === key) ?? metrics[0];

function Change({ metric, now, then }) {
  const change = ratio(metric.exact(now), metric.exact(then));

  if (change === null) {
    return html`<span class="change quiet">none before</span>`;
  }
  return html`<span class="change">${change !== 1 && html`<${Icon} name=${change > 1 ? 'up' : 'down'} />`}${formatChange(change - 1)}</span>`;
}

export function Tiles({ usage, metric, onMetric }) {
  const metrics = metricsOf(usage);
  const chosen = chosenOf(metrics, metric);

  return html`<div class="tiles" role="group" aria-label="Sums; choose what the chart shows">
    ${metrics.map((one) => html`<button type="button" key=${one.key} class=${classes('tile', one.key === chosen.key && 'chosen')}
        aria-pressed=${one.key === chosen.key ? 'true' : 'false'} onClick=${() => onMetric(one.key)}>
      <span class="name">${one.label}</span><span class="value">${one.text(usage.total)}</span>
      <span class="then"><${Change} metric=${one} now=${usage.total} then=${usage.before} /> ${compare(one.exact(usage.before), '0') !== 0 && html`<span class="quiet">${one.text(usage.before)} before</span>`}</span>
    </button>`)}</div>`;
}

function titlesOf(interval, zone) {
  switch (interval) {
    case 'hour': return { label: (at) => formatHour(at, zone), title: (at) => formatMinute(at, zone) };
    case 'month': return { label: (at) => formatMonth(at, zone), title: (at) => formatMonth(at, zone) };
    default: return { label: (at) => formatDay(at, zone), title: (at) => formatDate(at, zone) };
  }
}

/* For the height of a bar; what is read is text. */
const heightOf = (exact) => Number(exact);

/* Texts of amounts have the same number of digits, as they stand below each other in the table. */
function pointsOf(usage, metric, zone) {
  const { label, title } = titlesOf(usage.interval, zone);
  const digits = digitsOfAll([...usage.points, ...usage.pointsBefore].map(metric.exact));

  return usage.points.map((point, n) => {
    const then = usage.pointsBefore[n];
    return {
      label: label(point.start),
      title: title(point.start),
      value: heightOf(metric.exact(point)),
      text: metric.text(point, digits),
      before: then && heightOf(metric.exact(then)),
      beforeText: then && metric.text(then, digits),
    };
  });
}

function OverTime({ points, metric }) {
  const columns = [
    { key: 'title', label: 'Time' },
    { key: 'text', label: metric.label, number: true },
    { key: 'before', label: 'Before', number: true, cell: ({ beforeText }) => beforeText ?? '' },
  ];

  return html`<${Table} caption="${metric.label} over time" columns=${columns} rows=${points} />`;
}

const units = { hour: 'hour', day: 'day', month: 'month' };

/* onZoom gets the first and the last day, as texts, of what was dragged over. */
export function UsageChart({ usage, range, metric: key, onZoom }) {
  const [asTable, setAsTable] = useState(false);
  const metrics = metricsOf(usage);
  const metric = chosenOf(metrics, key);
  const points = useMemo(() => pointsOf(usage, metric, range.zone), [usage, metric.key, range.zone]);
  const formatValue = useCallback((value) => metric.short(value), [metric.key]);
  const onPick = useCallback((first, last) => {
    const next = usage.points[last + 1]?.start;
    const end = next ? addDays(dayOf(next - 1, range.zone), 0) : dayOf(range.to - 1, range.zone);
    onZoom(textOfDay(dayOf(usage.points[first].start, range.zone)), textOfDay(end));
  }, [usage, range.zone]);
  const peak = usage.points.reduce((best, point) => (compare(metric.exact(point), metric.exact(best)) > 0 ? point : best), usage.points[0]);
  const label = `${metric.label} by ${units[usage.interval]}: ${metric.text(usage.total)} in all, most on ${titlesOf(usage.interval, range.zone).title(peak.start)} with ${metric.text(peak)}.`;

  return html`<${Card} title="${metric.label} by ${units[usage.interval]}" hint=${usage.interval === 'hour' || asTable ? '' : 'Drag over the chart to look closer.'}
      actions=${html`<button type="button" class="button small" aria-pressed=${asTable ? 'true' : 'false'} onClick=${() => setAsTable(!asTable)}>${asTable ? 'Show chart' : 'Show table'}</button>`}>
    ${asTable ? html`<${OverTime} points=${points} metric=${metric} />`
    : html`<div class="inside"><${Chart} points=${points} label=${label} unit=${metric.label} beforeLabel="Before" formatValue=${formatValue} onPick=${usage.interval === 'hour' ? null : onPick} />
      <p class="legend"><span><i class="now"></i>This period</span><span><i class="then"></i>The period before</span></p></div>`}
  </${Card}>`;
}
