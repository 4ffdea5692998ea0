/* SPDX-License-Identifier: ISC */
/*
 * load.js: data that a component reads from the API while it is shown.
 *
 *	const usage = useLoad((signal) => get('/v2/reports/summary', query, { signal }), [query]);
 *
 * { state: 'loading' | 'ready' | 'error', data, error, reload() }. While other data is read, `data` stays what it was and
 * `state` is 'loading'; what is no longer wanted is aborted.
 */
import { useCallback, useEffect, useState } from './html.js';

export function useLoad(load, dependencies) {
  const [turn, setTurn] = useState(0);
  const [held, setHeld] = useState({ state: 'loading', data: null, error: null });
  const reload = useCallback(() => setTurn((before) => before + 1), []);

  useEffect(() => {
    const abort = new AbortController();

    setHeld((before) => ({ ...before, state: 'loading', error: null }));
    load(abort.signal).then(
      (data) => abort.signal.aborted || setHeld({ state: 'ready', data, error: null }),
      (error) => abort.signal.aborted || setHeld({ state: 'error', data: null, error }),
    );
    return () => abort.abort(new DOMException('No longer shown', 'AbortError'));
  }, [...dependencies, turn]);
  return { ...held, reload };
}

/* Calls again every `ms` while the page is visible and `active`. */
export function useInterval(call, ms, active = true) {
  useEffect(() => {
    const timer = active && setInterval(() => document.hidden || call(), ms);

    return () => clearInterval(timer);
  }, [call, ms, active]);
}
