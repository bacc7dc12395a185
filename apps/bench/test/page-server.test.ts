// The page from outside, with a page made of fetch: files, one thing asked after the other, and a page that
// goes away.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PageServer } from '../src/page-server.ts';
import { encodeWords, GONE_PATH, type Order, TALK_PATH, type Words } from '../src/wire.ts';

const setting = { browser: 'a browser', adapter: 'an adapter', software: false, features: [] };
let server: PageServer;
let url = '';

const post = (path: string, body: Blob): Promise<Response> =>
  fetch(new URL(path, url), { method: 'POST', body });
const say = async (words: Words): Promise<Order> =>
  (await (await post(TALK_PATH, encodeWords(words))).json()) as Order;

beforeEach(async () => {
  server = new PageServer(new Map([['/', { type: 'text/html', body: new TextEncoder().encode('<p>') }]]));
  url = await server.listen();
});
afterEach(() => server.close());

test('files are served to an isolated page, and nothing else is', async () => {
  const response = await fetch(url);
  expect(await response.text()).toBe('<p>');
  expect(response.headers.get('content-type')).toBe('text/html');
  expect(response.headers.get('cross-origin-opener-policy')).toBe('same-origin');
  expect((await fetch(new URL('/attic', url))).status).toBe(404);
});

test('a page is asked, answers, sees what there is to show, and is told that all is done', async () => {
  const first = say({ kind: 'hello', setting });
  expect(await server.hello()).toEqual(setting);
  const asked = server.contender('jax-js').ask({ kind: 'warmUp', milliseconds: 5 });
  expect(await first).toEqual({
    kind: 'ask',
    contender: 'jax-js',
    request: { kind: 'warmUp', milliseconds: 5 },
    lines: [],
  });
  const second = say({ kind: 'reply', reply: { kind: 'done', notes: { dispatches: 7 } } });
  expect(await asked).toEqual({ kind: 'done', notes: { dispatches: 7 } });
  server.tell('a line');
  void server.close();
  expect(await second).toEqual({ kind: 'end', lines: ['a line'] });
});

test('a page that is told to load itself again says hello again', async () => {
  const first = say({ kind: 'hello', setting });
  await server.hello();
  const reloaded = server.reload();
  expect(await first).toEqual({ kind: 'reload', lines: [] });
  const second = say({ kind: 'hello', setting });
  await reloaded;
  void server.contender('firsthand').ask({ kind: 'release' });
  expect(await second).toMatchObject({ kind: 'ask', contender: 'firsthand' });
});

describe('a page that goes away', () => {
  const failed = { kind: 'failed', message: 'the page was closed' };

  test('fails what it was asked, and what it is asked later', async () => {
    void say({ kind: 'hello', setting }).catch(() => {});
    await server.hello();
    const asked = server.contender('firsthand').ask({ kind: 'release' });
    await post(GONE_PATH, new Blob(['the page was closed']));
    await server.reload();
    expect(await asked).toEqual(failed);
    expect(await server.contender('firsthand').ask({ kind: 'release' })).toEqual(failed);
  });

  test('or never comes, is not waited for', async () => {
    const hello = server.hello();
    server.fail('the browser ended');
    await expect(hello).rejects.toThrow('the browser ended');
    await expect(server.hello()).rejects.toThrow('the browser ended');
  });

  test('is not replaced by another one', async () => {
    void say({ kind: 'hello', setting }).catch(() => {});
    await server.hello();
    expect(await say({ kind: 'hello', setting })).toMatchObject({ kind: 'end' });
  });
});
