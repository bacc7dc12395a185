/**
 * The same values from fewer nodes. What nobody needs is not built, equal work is done once, and each rule of
 * one table replaces a node by something smaller, earlier or equal. A rule states its equation, and beside it
 * why it holds for NaN, infinities and signed zeros; one that changes the rounding of a result is marked.
 */
import { withGradient, type Node } from '@firsthand/graph';
import type { Resumable } from '../support/resumable.ts';
import { type Pass, PASSES } from './passes.ts';
import { countReaders, rewrite, Rewriter, type Rule } from './rewrite.ts';
import { ARITHMETIC_RULES } from './arithmetic.ts';
import { CONCATENATION_RULES } from './concatenate.ts';
import { CONSTANT_RULES } from './constants.ts';
import { HOIST_RULES } from './hoist.ts';
import { INDEX_RULES, SCATTER_IN_FLOAT64 } from './indexing.ts';
import { LOGIC_AND_CAST_RULES } from './logic.ts';
import { MATMUL_RULES, SINGLE_READER_RULES } from './matmul.ts';
import { MOVEMENT_RULES } from './movement.ts';
import { SPLIT_REDUCTION, REDUCE_RULES } from './reduce.ts';

/** All rules. Of those for one operation the first that applies is taken. */
export const RULES: readonly Rule[] = [
  ...CONSTANT_RULES,
  ...SINGLE_READER_RULES,
  ...ARITHMETIC_RULES,
  ...LOGIC_AND_CAST_RULES,
  ...MOVEMENT_RULES,
  ...HOIST_RULES,
  ...REDUCE_RULES,
  ...INDEX_RULES,
  ...MATMUL_RULES,
  ...CONCATENATION_RULES,
  SCATTER_IN_FLOAT64,
  SPLIT_REDUCTION,
];

/** Options of `simplify`. */
export interface SimplifyOptions {
  /** Keeps sums of scattered floats in float64, for targets that have it. */
  readonly scatterInFloat64?: boolean;
  /** Splits large reductions, for targets whose threads share rows. */
  readonly splitsReductions?: boolean;
  /** The rules that may be applied; all of them by default. */
  readonly rules?: readonly Rule[];
  /** The passes that may be run after the rules; all of them by default. */
  readonly passes?: readonly Pass[];
  /** Called at each application of a rule, and after each pass that has changed something. */
  readonly onRewrite?: (rule: Rule | Pass) => void;
}

/**
 * Rewrites a closed program.
 * @param program nodes over leaves that are arguments; composites are inlined, but for `matmul`
 * @returns one node for each root, with its shape and dtype. It may be a leaf or a constant, and two roots
 *   may be one node
 */
export function* simplify(
  program: readonly Node[],
  {
    scatterInFloat64 = false,
    splitsReductions = false,
    rules = RULES,
    passes = PASSES,
    onRewrite,
  }: SimplifyOptions = {},
): Resumable<readonly Node[]> {
  const allowed = rules.filter(
    (rule) =>
      (scatterInFloat64 || rule !== SCATTER_IN_FLOAT64) && (splitsReductions || rule !== SPLIT_REDUCTION),
  );
  // Readers are counted where equal work is one node already.
  const shared = yield* rewrite(program, { rules: [] });
  const rewriter = new Rewriter({ rules: allowed, onRewrite, readers: countReaders(shared) });
  let result = yield* rewriter.run(shared, new Map());
  for (const pass of passes) {
    const roots = result;
    const replacements = withGradient(false, () => pass.apply(roots, rewriter));
    if (replacements.size === 0) continue;
    onRewrite?.(pass);
    result = yield* rewriter.replace(roots, replacements);
  }
  return result;
}
