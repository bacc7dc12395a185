/** Each of the library's functions declares itself, and is declared after those that it calls. */
import { expect, test } from 'vitest';
import {
  callsOf,
  declarationsOf,
  FUNCTIONS,
  functionsIn,
  type FunctionName,
} from '../src/scalar/functions.ts';

const NAMES = Object.keys(FUNCTIONS) as FunctionName[];
/** WGSL without comments. */
const codeOf = (name: FunctionName): string => FUNCTIONS[name].replaceAll(/\/\/.*/g, '');
/** The functions that a function calls. */
const calledBy = (name: FunctionName): FunctionName[] =>
  NAMES.filter((other) => other !== name && new RegExp(`\\b${other}\\(`).test(codeOf(name)));

test.each(NAMES)('%s declares itself, and what it calls is known', (name) => {
  expect([...codeOf(name).matchAll(/\bfn (\w+)/g)].map((match) => match[1])).toEqual([name]);
  expect([...new Set(callsOf(name))].sort()).toEqual(calledBy(name).sort());
});

test('calls of the language are none', () => {
  expect(functionsIn('let y = select(1.0, exp_f32(tanh(x)), is_nan(x));')).toEqual(['exp_f32', 'is_nan']);
});

test('each is declared once, after those that it calls', () => {
  const text = declarationsOf([...NAMES, 'exp_f32', ...NAMES]);
  const positions = NAMES.map((name) =>
    [...text.matchAll(new RegExp(`\\bfn ${name}\\(`, 'g'))].map(({ index }) => index),
  );
  positions.forEach((found, i) => {
    expect(found, NAMES[i]).toHaveLength(1);
    for (const called of calledBy(NAMES[i]!))
      expect(positions[NAMES.indexOf(called)]![0]).toBeLessThan(found[0]!);
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
