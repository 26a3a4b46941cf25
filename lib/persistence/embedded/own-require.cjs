'use strict';

const { createRequire } = require('node:module');

/**
 * Finds packages as seen from here, wherever this package is installed. CommonJS, because the other way for a file to
 * know its place is `import.meta`, which users' ts-jest cannot compile to CommonJS.
 */
exports.ownRequire = createRequire(__filename);
