module.exports = {
  rootDir: 'src',
  transform: { '^.+\\.(t|j)s$': 'ts-jest' },
  transformIgnorePatterns: ['node_modules/(?!(.*/)?orchestrate-flow/)'],
};
