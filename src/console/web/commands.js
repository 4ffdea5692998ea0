/* SPDX-License-Identifier: ISC */
/*
 * commands.js: the commands of operators, by their names at /operator/v1, and data that is read anew while it is shown.
 */
import { get, post } from './api.js';
import { useInterval, useLoad } from './load.js';

const AGAIN_MS = 2000;

export const ask = (command, args, options) => get(`/operator/v1/${command}`, args, options);
export const change = (command, args) => post(`/operator/v1/${command}`, args);

/* useLoad of a command, asked again every two seconds. */
export function useLive(command, args = {}) {
  const live = useLoad((signal) => ask(command, args, { signal }), [command, JSON.stringify(args)]);

  useInterval(live.reload, AGAIN_MS, live.state === 'ready');
  return live;
}
