//go:build !linux

package main

import "golang.org/x/sys/unix"

// rlimit has numbers that are signed on some systems.
func rlimit(files uint64) (limit unix.Rlimit) {
	setNumber(&limit.Cur, files)
	setNumber(&limit.Max, files)
	return limit
}

func setNumber[N int64 | uint64](to *N, n uint64) { *to = N(min(n, 1<<62)) }

// What only Linux is asked for.

func scheduling() (nice int, cpus []int) { return 0, nil }

func takeScheduling(int, []int) []error { return nil }
