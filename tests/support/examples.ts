// The examples in the documentation, as programs. An example is a block fenced as `ts`: in a README, or under
// `@example` in a docstring. Each is a whole program of its own. A line `console.log(…); // text` is a claim
// that it prints `text` (runs of spaces and line breaks count as one space), and the program fails where that
// is not so; prose belongs on a line above.
import { parseSync } from 'oxc-parser';

/** A program found in the documentation. */
export interface Example {
  /** The file that holds it, named from the root. */
  readonly file: string;
  /** The line of the file on which its first line stands, from 1. */
  readonly line: number;
  readonly code: string;
}

/** The blocks fenced as `ts`. A fence stands at the start of a line; a bare one closes it. */
function fenced(file: string, firstLine: number, lines: readonly string[]): Example[] {
  const examples: Example[] = [];
  let block: { language: string; start: number } | undefined;
  for (const [index, line] of lines.entries()) {
    if (block === undefined ? !line.startsWith('```') : line.trimEnd() !== '```') continue;
    if (block?.language === 'ts') {
      examples.push({
        file,
        line: firstLine + block.start,
        code: `${lines.slice(block.start, index).join('\n')}\n`,
      });
    }
    block = block === undefined ? { language: line.slice(3).trim(), start: index + 1 } : undefined;
  }
  if (block !== undefined)
    throw new SyntaxError(`${file}:${firstLine + block.start - 1}: this fence is never closed`);
  return examples;
}

/** The examples of a page of Markdown. */
export const examplesOfMarkdown = (file: string, text: string): Example[] =>
  fenced(file, 1, text.split('\n'));

/**
 * The examples in the docstrings of a source file. An `@example` reaches to the docstring's next tag or its
 * end, and holds one `ts` block.
 */
export function examplesOfSource(file: string, text: string): Example[] {
  return parseSync(file, text)
    .comments.filter(({ type, value }) => type === 'Block' && value.startsWith('*'))
    .flatMap(({ start, value }) => {
      const firstLine = text.slice(0, start).split('\n').length;
      const lines = value
        .split('\n')
        .map((line, index) => line.replace(index === 0 ? /^\*\s?/ : /^\s*\* ?/, ''));
      const tags = lines.flatMap((line, index) => (/^@[a-z]/.test(line) ? index : [])).concat(lines.length);
      return tags.slice(0, -1).flatMap((tag, k) => {
        if (!lines[tag]?.startsWith('@example')) return [];
        const found = fenced(file, firstLine + tag + 1, lines.slice(tag + 1, tags[k + 1]));
        if (found.length !== 1)
          throw new SyntaxError(
            `${file}:${firstLine + tag}: an @example holds one block fenced as ts, not ${found.length}`,
          );
        return found;
      });
    });
}

/**
 * The example with each of its claims checked as it runs. Line numbers stay as they were.
 * @returns a TypeScript module that throws where a claim is false
 */
export function checked({ code }: Example): string {
  const claim = /^(\s*)console\.log\((.*)\);\s*\/\/ (.+)$/;
  const lines = code.split('\n').map((line, index) => {
    const [, indent, printed, expected] = claim.exec(line) ?? [];
    return expected === undefined
      ? line
      : `${indent}claim(${index + 1}, ${JSON.stringify(expected)}, ${printed});`;
  });
  return `${lines.join('\n')}\n${claimFunction}`;
}

const claimFunction = `
import { format } from 'node:util';

function claim(line: number, expected: string, ...values: unknown[]): void {
  const oneLine = (text: string): string => text.replace(/\\s+/g, ' ').trim();
  const printed = oneLine(format(...values));
  if (printed !== oneLine(expected)) throw new Error(\`line \${line} of the example prints \${printed}, and claims \${expected}\`);
}
`;

/** The number of claims that an example makes. */
export const claimsIn = (example: Example): number =>
  checked(example)
    .split('\n')
    .filter((line) => line.trimStart().startsWith('claim(')).length;
