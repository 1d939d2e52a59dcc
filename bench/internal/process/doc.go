// Package process starts the programs that a benchmark measures, attacks or breaks, and ends them.
//
// A program runs in a process group of its own, so that Ctrl-C reaches the benchmark alone, which then ends it in
// order; and it dies with the benchmark, whatever that dies of. It is ended by its id: SIGTERM, and SIGKILL if it takes
// longer than it is given. The end of what it prints is kept, no more of it than PrintedBytes, and stands in the error
// when it ends early or is not ready in time.
//
// How much processor and memory a process has used is read here as well, of any process; and ports are found that are
// free.
//
// Reading order: process.go, await.go, printed.go, usage.go, ports.go.
package process
