package memory

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const mib = 1 << 20

// machine writes the files of a machine below a new directory.
func machine(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const (
	meminfo = "MemTotal:        1048576 kB\nMemFree:          524288 kB\n"
	mountV1 = "34 31 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
	mountV2 = "41 31 0:38 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	unified = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
	maxV1   = "9223372036854771712\n"
)

// TestLimit is the least of all that is known, for each way in which a machine says it.
func TestLimit(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		inGo  int64
		want  int64
		from  string
	}{
		{name: "nothing is known", inGo: math.MaxInt64},
		{"machine", map[string]string{"proc/meminfo": meminfo}, math.MaxInt64, (1 << 30) / 100 * 80, "machine"},
		{"GOMEMLIMIT", map[string]string{"proc/meminfo": meminfo}, 100 * mib, 100 * mib, "GOMEMLIMIT"},
		{"v1", map[string]string{
			"proc/meminfo": meminfo, "proc/self/mountinfo": mountV1,
			"proc/self/cgroup":                               "5:cpu:/x\n4:memory:/a/b\n0::/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":     maxV1,
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes":   "314572800\n",
			"sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "268435456\n",
		}, math.MaxInt64, 256 * mib, "cgroup"},
		{"v1, a parent has less", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "4:cpu,memory:/a/b\n", "proc/self/mountinfo": mountV1,
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes":   "134217728\n",
			"sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "268435456\n",
		}, math.MaxInt64, 128 * mib, "cgroup"},
		{"v2", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n", "proc/self/mountinfo": mountV2,
			"sys/fs/cgroup/a/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.max": "268435456\n",
		}, math.MaxInt64, 256 * mib, "cgroup"},
		{"v2, high", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": mountV2,
			"sys/fs/cgroup/a/memory.max": "268435456\n", "sys/fs/cgroup/a/memory.high": "209715200\n",
		}, math.MaxInt64, 200 * mib, "cgroup"},
		{"v2 in a namespace", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mountV2,
			"sys/fs/cgroup/memory.max": "268435456\n",
		}, math.MaxInt64, 256 * mib, "cgroup"},
		{"v1 in a container without a namespace", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "4:memory:/docker/abc/inner\n",
			"proc/self/mountinfo":                              strings.Replace(mountV1, " / ", " /docker/abc ", 1),
			"sys/fs/cgroup/memory/memory.limit_in_bytes":       "268435456\n",
			"sys/fs/cgroup/memory/inner/memory.limit_in_bytes": "134217728\n",
		}, math.MaxInt64, 128 * mib, "cgroup"},
		{"both versions", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "4:memory:/a\n0::/b\n",
			"proc/self/mountinfo":                          mountV1 + unified,
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "268435456\n",
			"sys/fs/cgroup/unified/b/memory.max":           "134217728\n",
		}, math.MaxInt64, 128 * mib, "cgroup"},
		{"nonsense", map[string]string{
			"proc/meminfo": "MemTotal: many\n", "proc/self/cgroup": "4:memory\n::\n4:memory:/a\n",
			"proc/self/mountinfo":                          "x\n - cgroup2\n" + mountV1,
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "-5\n",
		}, 300 * mib, 300 * mib, "GOMEMLIMIT"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, from := limit(machine(t, test.files), test.inGo)
			if got != test.want || from != test.from {
				t.Errorf("%d of %q, want %d of %q", got, from, test.want, test.from)
			}
		})
	}
}

// TestLimitHere: this machine says something, and it is no more than it has.
func TestLimitHere(t *testing.T) {
	got, from := Limit()
	if has := total("/"); from == "" && has > 0 || has > 0 && got > has {
		t.Errorf("%d of %q, of a machine with %s", got, from, strconv.FormatInt(has, 10))
	}
}
