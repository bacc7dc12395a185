// How a source file looks, as far as a program can tell: it opens with a comment that states its idea, it is
// short, and importing it does nothing.
import { parseSync } from 'oxc-parser';

/**
 * Above the first number a file is too long for one idea and the tests say so; above the second they fail.
 * The class of tensors is one list of methods with their documentation, which sets the second.
 */
export const lineLimits = { advised: 500, allowed: 1100 } as const;

/**
 * What may stand at the top level of a module that has no side effects: declarations, imports and exports.
 */
const declarations: ReadonlySet<string> = new Set([
  'ImportDeclaration',
  'ExportNamedDeclaration',
  'ExportAllDeclaration',
  'FunctionDeclaration',
  'ClassDeclaration',
  'VariableDeclaration',
  'TSTypeAliasDeclaration',
  'TSInterfaceDeclaration',
  'TSDeclareFunction',
]);

/**
 * What a reader would object to in a file of `packages/<name>/src`.
 * @returns one line for each fault, empty where there is none
 */
export function faults(path: string, text: string): string[] {
  const { program } = parseSync(path, text);
  const found = headerFaults(path, text);
  const lines = text.split('\n').length - 1;
  if (lines > lineLimits.allowed)
    found.push(`${path}: ${lines} lines; one idea takes at most ${lineLimits.advised} or so`);
  for (const statement of program.body) {
    const inner =
      statement.type === 'ExportNamedDeclaration' && statement.declaration !== null
        ? statement.declaration
        : statement;
    const bare = inner.type === 'ImportDeclaration' && inner.specifiers.length === 0;
    const line = text.slice(0, inner.start).split('\n').length;
    if (bare || !declarations.has(inner.type))
      found.push(
        `${path}:${line}: ${inner.type} at the top level: a module declares, and does nothing when it is imported`,
      );
  }
  return found;
}

/**
 * The fault of a file that does not open with a comment of at least one whole sentence, after `#!` if there
 * is one.
 */
export function headerFaults(path: string, text: string): string[] {
  const body = text.replace(/^#!.*\n/, '');
  const header = /^(?:\/\/[^\n]*\n)+|^\/\*[\s\S]*?\*\//.exec(body)?.[0] ?? '';
  const words = header.split(/\s+/).filter((word) => /\p{L}{2}/u.test(word));
  return words.length >= 4 && header.includes('.')
    ? []
    : [
        `${path}: opens without a comment that states its idea in a sentence or more: what it is, and a formula or a source where there is one`,
      ];
}

/** Columns of a line of code, a comment or a page. */
const COLUMNS = 110;

const columnsOf = (line: string): number => [...line].length;

/** The texts that cannot be broken: strings, templates and regular expressions, as ranges of the file. */
function unbreakable(path: string, text: string): readonly (readonly [start: number, end: number])[] {
  const ranges: [number, number][] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit);
    if (typeof value !== 'object' || value === null || !('type' in value)) return;
    const node = value as { readonly type: string; readonly start: number; readonly end: number };
    if (node.type === 'Literal' || node.type === 'TemplateLiteral') ranges.push([node.start, node.end]);
    Object.values(node).forEach(visit);
  };
  const { program, comments } = parseSync(path, text);
  visit(program);
  // What the formatter is told to leave alone: the statement after the mark.
  for (const { value, end } of comments)
    if (/(?:oxfmt|prettier)-ignore/.test(value))
      ranges.push([end, program.body.find(({ start }) => start >= end)?.end ?? end]);
  return ranges;
}

/** The formatter keeps the title of a test on the line of the call. */
const TEST_TITLE = /^\s*(?:test|describe)(?:\.\w+)?\(/;

/**
 * The lines of a source file that are too long, except where a text that cannot be broken reaches past or is
 * followed by a comma alone.
 */
export function longLines(path: string, text: string): string[] {
  if (text.split('\n').every((line) => columnsOf(line) <= COLUMNS)) return [];
  const ranges = unbreakable(path, text);
  let start = 0;
  return text.split('\n').flatMap((line, index) => {
    const last = start + line.length;
    const first = start + [...line].slice(0, COLUMNS).join('').length;
    start = last + 1;
    const isText = TEST_TITLE.test(line) || ranges.some(([from, to]) => from < last && to >= first - 1);
    return columnsOf(line) <= COLUMNS || isText ? [] : [`${path}:${index + 1}: ${columnsOf(line)} columns`];
  });
}

/** A sentence of a page takes fewer than three lines. */
const SENTENCE = 3 * COLUMNS;

/** The sentences of a page of Markdown that are too long, and its lines, tables and code excepted. */
export function pageFaults(path: string, text: string): string[] {
  const page = text.replaceAll(/^(?:```|~~~)[\s\S]*?^(?:```|~~~)$/gm, '');
  const lines = page.split('\n').filter((line) => !line.startsWith('|') && !/https?:\/\/\S+/.test(line));
  const long = lines.filter((line) => columnsOf(line) > COLUMNS);
  const sentences = page
    .split(/\n\s*\n|^#.*$|^\|.*$|^\s*(?:[-*]|\d+\.) /m)
    .flatMap((paragraph) => paragraph.replaceAll(/\s+/g, ' ').split(/(?<=[.:!?][)"”`]?) (?=[A-Z`*[(“])/));
  return [
    ...long.map((line) => `${path}: ${columnsOf(line)} columns: ${line}`),
    ...sentences
      .filter((sentence) => columnsOf(sentence) >= SENTENCE)
      .map(
        (sentence) => `${path}: a sentence of ${columnsOf(sentence)} characters: ${sentence.slice(0, 60)}…`,
      ),
  ];
}
