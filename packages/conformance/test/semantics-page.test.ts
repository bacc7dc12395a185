// Every rule of docs/semantics.md names its tests, and every test of a rule is named: neither can drift away
// from the other.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const here = new URL('.', import.meta.url);
/** The page with each paragraph in one line. */
const page = readFileSync(new URL('../../../docs/semantics.md', here), 'utf8').replaceAll(
  /(?<=\S)\n(?=\S)/g,
  ' ',
);
const sources = [new URL('../src/semantics/', here), here].flatMap((folder) =>
  readdirSync(folder)
    .filter((file) => folder !== here || (file.startsWith('semantics-') && file !== 'semantics-page.test.ts'))
    .map((file) => readFileSync(new URL(file, folder), 'utf8')),
);
const declared = sources.flatMap((source) =>
  [...source.matchAll(/describe\('(rule \d+: .*)', /g)].map((match) => match[1]!),
);
const rules = page.split(/^\*\*(?=\d+\. )/m).slice(1);

describe('docs/semantics.md', () => {
  test('has thirty rules, in order', () => {
    expect(rules.map((rule) => Number.parseInt(rule, 10))).toEqual(
      Array.from({ length: 30 }, (_, index) => index + 1),
    );
  });

  test('names the tests of every rule', () => {
    const named = rules.flatMap((rule) =>
      [...rule.matchAll(/— \*(rule \d+: [^*]+)\*/g)].flatMap((match) => match[1]!.split('; ')),
    );
    expect([...named].sort()).toEqual([...new Set(declared)].sort());
    for (const rule of rules) expect(rule).toMatch(new RegExp(`— \\*rule ${Number.parseInt(rule, 10)}: `));
  });
});
