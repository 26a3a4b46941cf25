/** The paths of a build. */
export interface BuildPaths {
  /** Its `index.js`. */
  readonly library: string;
  /** Its command line. */
  readonly program: string;
}

export interface LibraryBuild extends BuildPaths {
  makeNewer(): BuildPaths;
  remove(): void;
}

export function buildLibrary(): LibraryBuild;
