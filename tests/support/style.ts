// How a source file looks, as far as a program can tell: it opens with a comment that states its idea, it is
// short, and importing it does nothing.
import { parseSync } from 'oxc-parser';

/**
 * Above the first number a file is too long for one idea and the tests say so; above the second they fail.
 */
export const lineLimits = { advised: 500, allowed: 700 } as const;

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
