/* SPDX-License-Identifier: ISC */
/*
 * action.js: something that a user does, and what became of it.
 */
import { useState } from './html.js';

/* { busy, error, run }: `run`, of a button or a form, does `call`, and gives onDone what it returned. */
export function useAction(call, onDone) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const run = async (event) => {
    event?.preventDefault();
    setBusy(true);
    setError(null);
    try {
      onDone(await call());
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };

  return { busy, error, run };
}
