// The words of the field instead of words of our own: which words may not stand in a name, in a comment or in
// the name of a file, what is written instead, and the senses in which the field itself uses them. Words that
// the field uses in several senses (factor, fill, stream, shift, slice, part) are left to a reader: a program
// cannot tell the senses apart.
import { basename, dirname } from 'node:path';

import { parseSync } from 'oxc-parser';

/** A word that may not be used. */
interface Refused {
  /** its forms, as whole words */
  readonly words: RegExp;
  readonly instead: string;
  /** phrases in which it is the field's word */
  readonly except?: RegExp;
}

/** Refused in names, comments and names of files. */
const REFUSED: readonly Refused[] = [
  {
    words: /\bplaces?\b/,
    instead: 'index, coordinates, offset, slot or position',
    // `FormatErrorPlace` is a published name.
    except: /\b(?:in|out of|decimal|last|format error) places?\b/g,
  },
  { words: /\bflights?\b/, instead: 'in-flight run', except: /\bin flight\b/g },
  { words: /\bbreathes?\b/, instead: 'back-pressure' },
  { words: /\bheld\b|\bholders?\b/, instead: 'buffer reference, reference count' },
  { words: /\basked\b/, instead: 'requested' },
  { words: /\bsweeps?\b/, instead: 'loop over the reduction axis' },
  { words: /\bfolded\b/, instead: 'reduced; reduction axes' },
  { words: /\bnests?\b/, instead: 'codegen scope, loop nest', except: /\bloop nests?\b/g },
  { words: /\bgrain\b|\bevenest\b/, instead: 'chunk size; most even' },
  { words: /\bpace\b|\btrials?\b/, instead: 'threading tuner, throughput; probe' },
  { words: /\bpatience\b/, instead: 'spin iterations, poll interval' },
  { words: /\bleases?\b/, instead: 'allocation' },
  { words: /\bhiders?\b/, instead: 'causal mask' },
  { words: /\bslabs?\b/, instead: 'shared-memory tile' },
];

/** Refused in names alone: in a sentence they are plain English. */
const REFUSED_IN_NAMES: readonly Refused[] = [
  {
    words: /\bcells?\b/,
    instead: 'buffer reference',
    except: /\b(?:table|recurrent|rnn|lstm|gru) cells?\b/g,
  },
  {
    words: /\bowners?\b|\bowned\b/,
    instead: 'reference count, stored by',
    except: /\bparameter owner\b/g,
  },
  { words: /\bkept\b/, instead: 'saved tensors, parallel axes, retained' },
  { words: /\bown\b/, instead: 'custom kernel', except: /\bown (?:keys|property)\b/g },
  { words: /\bfolds?\b/, instead: 'reduce', except: /\bconstant fold\b|\bfold constants?\b/g },
  { words: /\bstoring\b/, instead: 'materialisation' },
  { words: /\bpieces?\b/, instead: 'tiles, chunks' },
  { words: /\bsegments?\b/, instead: 'index-set splitting', except: /\bdata segments?\b/g },
  { words: /\bways?\b|\btogether\b|\balone\b/, instead: 'mode, parallel, serial' },
  { words: /\blooks\b/, instead: 'spin iterations' },
  { words: /\bspares?\b/, instead: 'recycled array' },
  { words: /\bturns?\b/, instead: 'iterations' },
];

/** Phrases for which there is nearly always a noun. */
const PARAPHRASES: readonly Refused[] = [
  { words: /\bwhat (?:is|was|are) (?:to be )?done with\b/, instead: 'epilogue, or the verb' },
  { words: /\bthat which\b/, instead: 'the noun' },
  { words: /\blies?\b/, instead: 'is stored, is, stands' },
  { words: /\bso many\b/, instead: 'a count, n' },
  { words: /\bwhether (?:\w+ ){1,12}should be\b/, instead: 'whether to' },
];

/** The words of a name: `inPlaceAdd` is "in place add", and so is `in-place-add`. */
const wordsOf = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/[-_.#/]+/g, ' ')
    .toLowerCase();

/** The words of a comment in one line, without the code in it that is marked as code. */
const proseOf = (comment: string): string =>
  comment
    .replaceAll(/`[^`]*`/g, '')
    .replaceAll(/\s*\n\s*(?:\*|\/\/)?\s*/g, ' ')
    .replaceAll('-', ' ')
    .toLowerCase();

const refusal = (text: string, refused: readonly Refused[]): string[] =>
  refused.flatMap(({ words, instead, except }) => {
    const found = words.exec(except === undefined ? text : text.replaceAll(except, ''));
    return found === null ? [] : [`"${found[0]}": write ${instead}`];
  });

/** A name that a file gives or uses, except what it only reads of another's object, as `array.fill`. */
interface Name {
  readonly name: string;
  readonly start: number;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly [key: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

function namesIn(node: Node): Name[] {
  const names: Name[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit);
    if (!isNode(value)) return;
    if (value.type === 'Identifier' || value.type === 'PrivateIdentifier')
      names.push({ name: value['name'] as string, start: value.start });
    for (const [key, child] of Object.entries(value)) {
      const isRead = value.type === 'MemberExpression' && key === 'property' && value['computed'] === false;
      if (!isRead) visit(child);
    }
  };
  visit(node);
  return names;
}

/**
 * The words of a source file that may not be used.
 * @param path named from the root
 * @returns one line for each word of each name, each comment and the path
 */
export function wordFaults(path: string, text: string): string[] {
  const { program, comments } = parseSync(path, text);
  const lineOf = (start: number): number => text.slice(0, start).split('\n').length;
  const inNames = [...REFUSED, ...REFUSED_IN_NAMES];
  const inComments = [...REFUSED, ...PARAPHRASES];
  const seen = new Set<string>();
  const found = refusal(wordsOf(path.replace(/^(?:packages|apps)\/[^/]+\//, '')), inNames).map(
    (fault) => `${path}: the name of the file has ${fault}`,
  );
  for (const { name, start } of namesIn(program as unknown as Node)) {
    if (seen.has(name)) continue;
    seen.add(name);
    for (const fault of refusal(wordsOf(name), inNames))
      found.push(`${path}:${lineOf(start)}: ${name} has ${fault}`);
  }
  for (const { value, start } of comments)
    for (const fault of refusal(proseOf(value), inComments))
      found.push(`${path}:${lineOf(start)}: a comment has ${fault}`);
  return found;
}

/** The paraphrases of a page of Markdown, outside of its code. */
export function pageWordFaults(path: string, text: string): string[] {
  const prose = text.replaceAll(/```[\s\S]*?```/g, '').toLowerCase();
  return [...REFUSED, ...PARAPHRASES].flatMap((refused) =>
    refusal(prose.replaceAll(/`[^`]*`/g, '').replaceAll(/[-\s]+/g, ' '), [refused]).map(
      (fault) => `${path}: ${fault}`,
    ),
  );
}

/** Whether one letter added, left out or exchanged makes one name of the other. */
function isOneLetterApart(left: string, right: string): boolean {
  const [short, long] = left.length <= right.length ? [left, right] : [right, left];
  if (long.length - short.length > 1) return false;
  let same = 0;
  while (same < short.length && short[same] === long[same]) same++;
  const rest = short.length === long.length ? same + 1 : same;
  return short.slice(rest) === long.slice(same + 1);
}

/** The pairs of files in one folder whose names, without extension, are a letter apart. */
export function twinNames(paths: readonly string[]): string[] {
  const stem = (path: string): string => basename(path).replace(/\..*$/, '');
  return paths.flatMap((path, index) =>
    paths
      .slice(index + 1)
      .filter((other) => dirname(other) === dirname(path) && isOneLetterApart(stem(path), stem(other)))
      .map((other) => `${path} and ${basename(other)} differ by one letter`),
  );
}
