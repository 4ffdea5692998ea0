/* SPDX-License-Identifier: ISC */
/*
 * described.js: requests as /openapi.json describes them, and answers compared with it. What an answer has and the document
 * does not is an error: a status, a content type, a header, a member.
 */
import assert from 'node:assert/strict';

import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/* Of HTTP itself and of every answer. */
const COMMON_HEADERS = new Set(['date', 'content-length', 'content-type', 'connection', 'keep-alive', 'vary', 'cache-control',
  'content-encoding', 'transfer-encoding', 'x-content-type-options', 'access-control-allow-origin', 'allow']);

/* A part of a JSON pointer. */
export const escaped = (part) => part.replaceAll('~', '~0').replaceAll('/', '~1');

export class Described {
  /* `seen` collects the answers, as "operationId status". */
  constructor(document, url, seen = new Set()) {
    this.document = document;
    this.url = url;
    this.seen = seen;
    this.ajv = new Ajv({ strict: false, allErrors: true, validateFormats: true });
    addFormats(this.ajv);
    this.ajv.addSchema(document, 'api');
  }

  /* The operations as {where, method, path, described}. */
  operations() {
    return Object.entries(this.document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, described]) =>
        ({ where: `${method.toUpperCase()} ${path}`, method: method.toUpperCase(), path, described })));
  }

  operation(id) {
    const found = this.operations().find(({ described }) => described.operationId === id);
    assert.ok(found, `no operation ${id}`);
    return found;
  }

  resolve(entry) {
    return entry.$ref ? entry.$ref.slice(2).split('/').reduce((at, name) => at[name], this.document) : entry;
  }

  parameters(operation) {
    return (operation.described.parameters ?? []).map((entry) => this.resolve(entry));
  }

  schemaErrors(pointer, value) {
    const validate = this.ajv.getSchema(`api#${pointer}`);
    return validate(value) ? [] : validate.errors;
  }

  checkHeaders(where, described, headers) {
    const names = Object.keys(described.headers ?? {}).map((name) => name.toLowerCase());
    for (const name of headers.keys()) {
      assert.ok(COMMON_HEADERS.has(name) || names.includes(name), `${where}: the header ${name} is not described`);
    }
  }

  checkContent(where, pointer, described, type, text) {
    const content = described.content ?? {};
    if (text === '' && Object.keys(content).length === 0) {
      return;
    }
    assert.ok(type in content, `${where}: the content type ${type} is not described`);
    if (content[type].schema) {
      const errors = this.schemaErrors(`${pointer}/content/${escaped(type)}/schema`, JSON.parse(text));
      assert.deepEqual(errors.slice(0, 3), [], `${where}: ${text.slice(0, 600)}`);
    }
  }

  /* Sends a request and compares the answer; `stray`: an answer under `default` is right. Gives {status, headers, text}. */
  async send(id, { path = {}, query = {}, raw = '', headers = {}, body, user, stray = false } = {}) {
    const operation = this.operation(id);
    const target = new URL(operation.path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(path[name])), this.url);
    for (const [name, value] of Object.entries(query)) {
      target.searchParams.append(name, value);
    }
    target.search = raw || target.search;
    const authorization = user ? { Authorization: `Basic ${Buffer.from(user).toString('base64')}` } : {};
    const answer = await fetch(target, { method: operation.method, headers: { ...authorization, ...headers }, body });
    const text = await answer.text();
    const status = String(answer.status);
    const { responses } = operation.described;
    const where = `${operation.where} ${target.search} ${status}`;
    const key = status in responses ? status : 'default';
    assert.ok(key !== 'default' || stray, `${where}: the status is not described: ${text.slice(0, 300)}`);
    this.seen.add(`${id} ${key}`);
    const pointer = `/paths/${escaped(operation.path)}/${operation.method.toLowerCase()}/responses/${key}`;
    this.checkHeaders(where, responses[key], answer.headers);
    this.checkContent(where, encodeURI(pointer), responses[key], answer.headers.get('content-type'), text);
    return { status: answer.status, headers: answer.headers, text, json: () => JSON.parse(text) };
  }
}
