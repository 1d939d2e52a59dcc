package monitor

import (
	"os"
	"strconv"
	"strings"
)

// loadAverage is the machine's load over 1, 5 and 15 minutes; zeros if it is
// not to be had.
func loadAverage() (load [3]float64) {
	text, _ := os.ReadFile("/proc/loadavg") // without it, there are no fields
	for i, field := range strings.Fields(string(text)) {
		if i < len(load) {
			load[i], _ = strconv.ParseFloat(field, 64)
		}
	}
	return load
}

// residentBytes is how much memory this process has; 0 if that is not to be had.
func residentBytes() int64 {
	text, _ := os.ReadFile("/proc/self/statm") // as above
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
