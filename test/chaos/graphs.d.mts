import type { DrawnGraph } from './graph-chaos.mjs';

export function readGraphs(paths: readonly string[]): DrawnGraph[];

export function drawGraphs(): DrawnGraph[];
