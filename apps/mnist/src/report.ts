/**
 * What a run says at its end: how many unseen digits were read rightly, which were taken for which, and a few
 * of them as they were read.
 */
import { drawCards, type Reading } from './digit-card.ts';
import { CLASSES, type Digits, likeliest, PIXELS } from './digits.ts';
import type { Evaluation } from './evaluate.ts';
import { formatCount, formatPercent } from '@firsthand/kit/numbers';
import { confusionTable } from './tables.ts';
import { type Output, paint, writeLine } from '@firsthand/kit/terminal';

/** How many are shown of each kind: right, wrong with conviction, wrong in doubt. */
const SHOWN = 2;

/**
 * The first few digits that were read rightly, the mistakes of the greatest conviction, and those of the
 * least; fewer where there are not as many.
 */
export function chooseReadings(
  { count, pixels, labels }: Digits,
  { probabilities }: Pick<Evaluation, 'probabilities'>,
): Reading[] {
  const readings = Array.from({ length: count }, (_, index): Reading => ({
    pixels: pixels.subarray(index * PIXELS, (index + 1) * PIXELS),
    label: labels[index]!,
    probabilities: probabilities.subarray(index * CLASSES, (index + 1) * CLASSES),
  }));
  const isRight = ({ label, probabilities: given }: Reading): boolean => likeliest(given) === label;
  const conviction = ({ probabilities: given }: Reading): number => given[likeliest(given)]!;
  const wrong = readings
    .filter((reading) => !isRight(reading))
    .toSorted((a, b) => conviction(b) - conviction(a));
  return [
    ...readings.filter(isRight).slice(0, SHOWN),
    ...wrong.slice(0, SHOWN),
    ...wrong.slice(SHOWN).slice(-SHOWN),
  ];
}

/** Prints the whole of it. */
export function reportEvaluation(output: Output, digits: Digits, evaluation: Evaluation): void {
  const right = Math.round(evaluation.accuracy * digits.count);
  const share = paint(output, 'bold', formatPercent(evaluation.accuracy));
  writeLine(
    output,
    `test accuracy ${share}: ${formatCount(right)} of ${formatCount(digits.count)} digits that it never saw`,
  );
  writeLine(output);
  writeLine(output, 'Row: the digit that was written. Column: what it was read as.');
  writeLine(output, confusionTable(evaluation.confusion, output));
  writeLine(output);
  writeLine(output, 'Some that it read rightly, mistakes that it was sure of, and mistakes in doubt:');
  writeLine(output);
  writeLine(output, drawCards(chooseReadings(digits, evaluation), output));
}
