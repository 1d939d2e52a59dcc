package door

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// holder names the process that listens on the port of a TCP address, as far as
// this process may know: root of all, others of their own. "" is not known.
func holder(text string) string {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return ""
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return ""
	}
	var wanted []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for _, inode := range listening(table, number) {
			wanted = append(wanted, "socket:["+inode+"]")
		}
	}
	if len(wanted) == 0 {
		return ""
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return ""
	}
	for _, process := range processes {
		entries, err := os.ReadDir(process + "/fd")
		if err != nil {
			continue // another user's, or gone
		}
		for _, entry := range entries {
			to, err := os.Readlink(process + "/fd/" + entry.Name())
			if err != nil || !slices.Contains(wanted, to) {
				continue
			}
			name, err := os.ReadFile(process + "/comm")
			if err != nil {
				continue
			}
			return fmt.Sprintf("pid %s (%s)", filepath.Base(process), plainName(string(name)))
		}
	}
	return ""
}

// plainName is a name that a process has given itself, for a terminal.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, strings.TrimSuffix(name, "\n"))
}

// listening are the inodes of the sockets in the kernel's table that listen on port.
func listening(table string, port uint64) (inodes []string) {
	file, err := os.Open(table)
	if err != nil {
		return nil
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		// sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != "0A" {
			continue
		}
		_, hex, _ := strings.Cut(fields[1], ":")
		if at, err := strconv.ParseUint(hex, 16, 16); err == nil && at == port {
			inodes = append(inodes, fields[9])
		}
	}
	return inodes
}
