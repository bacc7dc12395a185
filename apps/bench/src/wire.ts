/**
 * What a page and the command that serves it say to each other. The page speaks first, and is answered with
 * what to do next, once there is something; so the two need nothing but POST requests. A page's words are a
 * line of JSON, and after it the results as bytes, which keeps every NaN.
 */
import type { PageContender } from './contender.ts';
import type { Reply, Request } from './protocol.ts';
import type { PageSetting } from './results.ts';

/** Where the page posts its words. */
export const TALK_PATH = '/talk';

/** Where it says, in words, why nothing more will come of it. */
export const GONE_PATH = '/gone';

/** What a page says. */
export type Words =
  /** The first words; `setting` is null where the browser has no WebGPU. */
  | { readonly kind: 'hello'; readonly setting: PageSetting | null }
  | { readonly kind: 'reply'; readonly reply: Reply };

/** What it is told, with the lines that it is to show. */
export type Order = { readonly lines: readonly string[] } & (
  | { readonly kind: 'ask'; readonly contender: PageContender; readonly request: Request }
  /** To load itself again, and say hello again. */
  | { readonly kind: 'reload' }
  /** There is no more to do. */
  | { readonly kind: 'end' }
);

const NEWLINE = 10;

/** The body of a request. */
export function encodeWords(words: Words): Blob {
  if (words.kind !== 'reply' || words.reply.kind !== 'prepared')
    return new Blob([`${JSON.stringify(words)}\n`]);
  const outputs = words.reply.outputs.map((values) => Float32Array.from(values));
  const head = { ...words, reply: { ...words.reply, outputs: outputs.map(({ length }) => length) } };
  return new Blob([`${JSON.stringify(head)}\n`, ...outputs]);
}

/** @throws Error if these are no words of a page */
export function decodeWords(body: Uint8Array): Words {
  const end = body.indexOf(NEWLINE);
  const words = JSON.parse(new TextDecoder().decode(body.subarray(0, end))) as Words;
  if (words.kind !== 'reply' || words.reply.kind !== 'prepared') return words;
  let at = end + 1;
  const outputs = (words.reply.outputs as unknown as readonly number[]).map((length) => {
    const bytes = Float32Array.BYTES_PER_ELEMENT * length;
    if (at + bytes > body.length) throw new RangeError('the words of the page end too early');
    const start = body.byteOffset + at;
    const values = new Float32Array(body.buffer.slice(start, start + bytes));
    at += bytes;
    return values;
  });
  return { kind: 'reply', reply: { ...words.reply, outputs } };
}
