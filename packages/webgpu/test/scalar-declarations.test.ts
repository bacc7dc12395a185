/** The library's functions say which others they call, and are declared after them. */
import { expect, test } from 'vitest';
import { declarationsOf, FUNCTIONS, type FunctionName } from '../src/scalar/functions.ts';

const NAMES = Object.keys(FUNCTIONS) as FunctionName[];
/** WGSL without comments. */
const codeOf = (name: FunctionName): string => FUNCTIONS[name].code.replaceAll(/\/\/.*/g, '');

test.each(NAMES)('%s declares itself, and says what it calls', (name) => {
  const code = codeOf(name);
  expect([...code.matchAll(/\bfn (\w+)/g)].map((match) => match[1])).toEqual([name]);
  const called = NAMES.filter((other) => other !== name && new RegExp(`\\b${other}\\(`).test(code));
  expect([...FUNCTIONS[name].needs].sort()).toEqual(called.sort());
});

test('each is declared once, after those that it calls', () => {
  const text = declarationsOf([...NAMES, 'exp_f32', ...NAMES]);
  const places = NAMES.map((name) =>
    [...text.matchAll(new RegExp(`\\bfn ${name}\\(`, 'g'))].map(({ index }) => index),
  );
  places.forEach((found, i) => {
    expect(found, NAMES[i]).toHaveLength(1);
    for (const called of FUNCTIONS[NAMES[i]!].needs)
      expect(places[NAMES.indexOf(called)]![0]).toBeLessThan(found[0]!);
  });
});

test.each(NAMES)('%s joins conditions without branches', (name) => {
  expect(codeOf(name)).not.toMatch(/&&|\|\|/);
});

test('what is not called is not declared', () => {
  expect(declarationsOf([])).toBe('');
  expect(declarationsOf(['sigmoid_f32']).match(/\bfn \w+/g)).toEqual([
    'fn bounded_by',
    'fn power_of_2',
    'fn exp_f32',
    'fn sigmoid_f32',
  ]);
});
