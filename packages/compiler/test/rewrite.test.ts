/**
 * The machinery of rules: the table of keys, groups of reshaped axes, long chains, deep rules, and how often
 * a node is read.
 */
import {
  add,
  binary,
  cast,
  constant,
  expand,
  gather,
  mul,
  neg,
  node,
  type Node,
  permute,
  postOrder,
  reshape,
  sub,
  unary,
} from '@firsthand/graph';
import { sizeOf } from '@firsthand/linalg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runToEnd } from '../src/support/resumable.ts';
import { countReaders, Rewriter } from '../src/simplify/rewrite.ts';
import { rule } from '../src/simplify/rewrite-rule.ts';
import { KeyTable } from '../src/support/key-table.ts';
import { axesBefore, axisGroups } from '../src/simplify/reshape.ts';
import { allRewritten, allSimplified, argument, evaluate, elements, textOf } from './simplify-support.ts';

const count = (...roots: readonly Node[]): number => postOrder(roots, ({ inputs }) => inputs).length;

test('equal keys have one number, others their own', () => {
  const key = fc.array(fc.oneof(fc.constantFrom(0, 1, -1), fc.integer()), { maxLength: 4 });
  fc.assert(
    fc.property(fc.array(key, { maxLength: 1500, size: 'max' }), (keys) => {
      const table = new KeyTable();
      const known = new Map<string, number>();
      const numbers = keys.map((words) => {
        words.forEach((word) => table.write(word));
        return table.number();
      });
      const expected = keys.map((words) => {
        const text = words.join();
        if (!known.has(text)) known.set(text, known.size);
        return known.get(text);
      });
      expect(numbers).toEqual(expected);
    }),
    { numRuns: 30 },
  );
});

const shape = fc.array(fc.constantFrom<number>(1, 1, 2, 2, 3, 4, 6), { maxLength: 5 });

test('groups of axes hold the same elements', () => {
  fc.assert(
    fc.property(shape, shape, (from, rest) => {
      // The same elements in another shape: factors of the size, as far as they go.
      let left = sizeOf(from);
      const to = rest.filter((extent) => left % extent === 0 && (left /= extent) > 0);
      to.push(left);
      const groups = axisGroups(from, to);
      const extent = (of: readonly number[], axes: readonly number[]): number =>
        sizeOf(axes.map((axis) => of[axis]!));
      for (const group of groups) {
        expect(extent(from, group.from)).toBe(extent(to, group.to));
        // No shorter run on either side has the extent of one on the other.
        group.from.slice(1).forEach((_, index) => {
          const part = extent(from, group.from.slice(0, index + 1));
          group.to
            .slice(1)
            .forEach((__, other) => expect(extent(to, group.to.slice(0, other + 1))).not.toBe(part));
        });
      }
      expect(groups.flatMap((group) => group.from)).toEqual(
        [...from.keys()].filter((axis) => from[axis] !== 1),
      );
      expect(groups.flatMap((group) => group.to)).toEqual([...to.keys()].filter((axis) => to[axis] !== 1));
      axesBefore(from, to).forEach((old, axis) => expect(old < 0 || from[old] === to[axis]).toBe(true));
    }),
  );
});

describe('chains of 100,000 nodes', () => {
  const x = argument('x', [2, 3]);
  const n = argument('n', [2, 3], 'int32');
  const data = new Map([[x, elements([1, 2, 3], 6, 'float32')]]);
  const chain = (from: Node, link: (value: Node, index: number) => Node): Node => {
    let value = from;
    for (let index = 0; index < 100_000; index++) value = link(value, index);
    return value;
  };

  test('of what must be computed', () => {
    const root = chain(x, (value, index) => (index % 2 === 0 ? unary('sin', value) : add(value, 1)));
    expect(count(...allSimplified([root]))).toBe(100_002);
  });

  test('of movements and negations that cancel', () => {
    const root = chain(x, (value, index) =>
      index % 4 < 2 ? permute(neg(value), [1, 0]) : reshape(value, [value.shape[1]!, value.shape[0]!]),
    );
    const [simple] = allSimplified([root]);
    expect(evaluate([simple!], data)).toEqual(evaluate([x], data));
    expect(count(simple!)).toBe(1);
  });

  test('of sums that become one', () => {
    expect(allSimplified([chain(n, (value) => add(value, 1))]).map(textOf)).toEqual(['add(n, 100000)']);
  });

  test('that a gather looks through', () => {
    const table = argument('w', [4, 8]);
    const scale = expand(argument('k', [4, 1]), [4, 8]);
    const [root] = allSimplified([
      gather(
        chain(table, (value) => sub(value, scale)),
        argument('i', [4, 1], 'int32'),
        1,
      ),
    ]);
    expect(count(root!)).toBeGreaterThan(100_000);
  });
});

describe('rules', () => {
  const x = argument('x', [4]);

  test('are tried in order, at the operations they name, on finished operands', () => {
    const seen: string[] = [];
    const note = (name: string, kind: 'neg' | 'abs'): Parameters<typeof allRewritten>[1]['rules'][number] =>
      rule('unary', name, ({ attrs, inputs }) => {
        seen.push(`${name} ${attrs.kind}`);
        return attrs.kind === kind ? inputs[0]! : null;
      });
    const [root] = allRewritten([unary('abs', neg(mul(x, 2)))], {
      rules: [note('first', 'abs'), note('second', 'neg')],
    });
    expect(textOf(root!)).toBe('mul(x, 2)');
    expect(seen).toEqual(['first neg', 'second neg', 'first abs']);
  });

  test('that never end are stopped', () => {
    const grow = rule('unary', 'grow', ({ inputs }, make) =>
      make.unary('neg', make.binary('mul', inputs[0]!, inputs[0]!)),
    );
    expect(count(...allRewritten([neg(x)], { rules: [grow] }))).toBeLessThan(100);
  });

  test('must build on finished nodes', () => {
    const careless = rule('unary', 'careless', (_, make) => make.unary('abs', constant(1, [4], 'float32')));
    expect(() => allRewritten([neg(x)], { rules: [careless] })).toThrow(
      'a rule reads a const that is not finished',
    );
  });
});

describe('readers', () => {
  const x = argument('x', [2, 3]);

  test('are the nodes and roots that read a node', () => {
    const shared = neg(x);
    const readers = countReaders([add(shared, shared), shared]);
    expect(readers.get(shared)).toBe(3);
    expect(readers.get(x)).toBe(1);
  });

  test('stay with what stands in a node’s place', () => {
    const inner = neg(x);
    const moved = reshape(inner, [6]);
    const roots = [unary('exp', moved), unary('abs', moved)];
    const make = new Rewriter({ rules: [], readers: countReaders(roots) });
    runToEnd(make.run(roots, new Map()));
    expect([make.readersOf(inner), make.readersOf(moved)]).toEqual([1, 2]);
    expect(make.readersOf(make.unary('sin', inner))).toBe(Infinity);
  });

  test('of a value below new movements are those of the movements', () => {
    const turn = rule('unary', 'turn', ({ inputs }, make) =>
      make.permute(make.binary('mul', inputs[0]!, inputs[0]!), [1, 0]),
    );
    const square = argument('s', [3, 3]);
    const roots = [binary('add', neg(square), constant(1, [3, 3], 'float32'))];
    const make = new Rewriter({ rules: [turn], readers: countReaders(roots) });
    const [root] = runToEnd(make.run(roots, new Map()));
    expect(textOf(root!)).toBe('add(permute[1, 0](mul(s, s)), 1)');
    expect(make.readersOf(root!.inputs[0]!.inputs[0]!)).toBe(1);
  });

  test('do not count a movement that vanishes', () => {
    const cancel = rule('movement', 'cancel', ({ inputs }) => inputs[0]!);
    const value = neg(x);
    const roots = [cast(reshape(value, [6]), 'float64'), node('unary', { kind: 'exp' }, [x])];
    const make = new Rewriter({ rules: [cancel], readers: countReaders(roots) });
    runToEnd(make.run(roots, new Map()));
    expect(make.readersOf(value)).toBe(1);
    expect(make.readersOf(x)).toBe(2);
  });
});
