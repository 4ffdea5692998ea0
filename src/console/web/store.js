/* SPDX-License-Identifier: ISC */
/*
 * store.js: a value that several components watch: who is signed in, what the connection does, what toasts there are.
 */
import { useEffect, useState } from './html.js';

export class Store {
  #watchers = new Set();

  constructor(value) {
    this.value = value;
  }

  set(value) {
    if (value === this.value) {
      return;
    }
    this.value = value;
    for (const watcher of this.#watchers) {
      watcher(value);
    }
  }

  /* Returns what ends it. */
  watch(watcher) {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}

export function useStore(store) {
  const [value, setValue] = useState(store.value);

  useEffect(() => {
    setValue(store.value);
    return store.watch(setValue);
  }, [store]);
  return value;
}
