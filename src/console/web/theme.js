/* SPDX-License-Identifier: ISC */
/*
 * theme.js: light or dark, as the system is or as the user has chosen, which this browser remembers.
 */
import { Store } from './store.js';

const KEY = 'cdrd-theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

function stored() {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'light' || value === 'dark' ? value : '';
  } catch {
    return '';
  }
}

let chosen = stored();

/* 'light' or 'dark' */
export const theme = new Store('light');

export function applyTheme() {
  const name = chosen || (dark.matches ? 'dark' : 'light');

  document.documentElement.dataset.theme = name;
  theme.set(name);
}

export function toggleTheme() {
  chosen = theme.value === 'dark' ? 'light' : 'dark';
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    /* It lasts as long as the page, then. */
  }
  applyTheme();
}

dark.addEventListener('change', applyTheme);
