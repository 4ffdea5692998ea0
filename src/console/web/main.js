/* SPDX-License-Identifier: ISC */
/*
 * main.js: the console of customers.
 */
import { start } from './app.js';
import { pages } from './pages.js';

await start({ pages, title: 'cdrd console' });
