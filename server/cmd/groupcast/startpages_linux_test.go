package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestCleanMappings: only what is the file's, is not to be written, and has not been.
func TestCleanMappings(t *testing.T) {
	const smaps = `00400000-00cd2000 r-xp 00000000 fe:00 9988497                            /bin/groupcast
Rss:                8008 kB
Anonymous:             0 kB
00cd2000-01625000 r--p 008d2000 fe:00 9988497                            /bin/groupcast
Anonymous:             4 kB
01625000-017a9000 rw-p 01225000 fe:00 9988497                            /bin/groupcast
Anonymous:             0 kB
017a9000-017aa000 r--s 01225000 fe:00 9988497                            /bin/groupcast
Anonymous:             0 kB
017aa000-017ab000 ---p 01225000 fe:00 9988497                            /bin/groupcast
Anonymous:             0 kB
017b0000-017c0000 r--p 01225000 fe:00 9988497                            /bin/groupcast
AnonHugePages:         0 kB
Anonymous:             0 kB
7f079d846000-7f079d99c000 r-xp 00026000 fe:00 326269                     /lib/libc.so.6
Anonymous:             0 kB
7f079d60b000-7f079d6bd000 r-xp 00000000 00:00 0 
Anonymous:             0 kB
`
	want := []mapping{{0x400000, 0xcd2000}, {0x17b0000, 0x17c0000}}
	if got := cleanMappings(smaps, "/bin/groupcast"); !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	if got := cleanMappings(smaps, "/bin/other"); got != nil {
		t.Errorf("of another file: %x", got)
	}
}

// TestStartPagesAreDropped: of the program's own file a running server keeps the smaller part.
func TestStartPagesAreDropped(t *testing.T) {
	p := launch(t, nil, "start", "--listen=127.0.0.1:0", "--loops=1")
	address := p.ready()[0]
	mapped := 0
	p.until("pages to be dropped", func() bool {
		var resident int
		mapped, resident = ofProgram(t, p.cmd.Process.Pid)
		return mapped > 1<<20 && resident < mapped/2
	})
	one := dial(t, address)
	if status := one.upgrade(); status != 101 || one.ping("1") != nil {
		t.Errorf("status %d, or no answer", status)
	}
}

// ofProgram is how many bytes of its own file a process has mapped and cannot write to, and
// how many of them are resident.
func ofProgram(t *testing.T, pid int) (mapped, resident int) {
	t.Helper()
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		t.Fatal(err)
	}
	smaps, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		t.Fatal(err)
	}
	ours := false
	for line := range strings.Lines(string(smaps)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) >= 5 && strings.Contains(fields[0], "-"):
			ours = len(fields) == 6 && fields[5] == exe && !strings.Contains(fields[1], "w")
		case ours && len(fields) == 3 && (fields[0] == "Rss:" || fields[0] == "Size:"):
			kib, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			if fields[0] == "Size:" {
				mapped += kib << 10
			} else {
				resident += kib << 10
			}
		}
	}
	return mapped, resident
}
