package wire

import (
	"cmp"
	"fmt"
	"math"
)

// Limits of what a node says of itself.
const (
	MaxHostBytes    = 255 // what a host's name may have
	MaxProgramBytes = 128
	MaxReads        = 16
)

// Heartbeat is what each node says to all, each second.
type Heartbeat struct {
	Generation uint64  `json:"generation"`        // which time it is that the node counts
	Place      uint64  `json:"place"`             // the last order that it wrote to NATS
	Sent       uint64  `json:"sent"`              // how many messages that were; other nodes' have places as well
	Program    string  `json:"program"`           // the program's version
	Reads      []int   `json:"reads,omitempty"`   // major versions that it reads
	Host       string  `json:"host"`              //
	PID        int     `json:"pid"`               //
	Sessions   int     `json:"sessions"`          //
	Groups     int     `json:"groups"`            //
	Lag        float64 `json:"lag"`               // seconds that the node is behind
	Joined     bool    `json:"joined,omitempty"`  // it has --channel-join
	Leaving    bool    `json:"leaving,omitempty"` // it is its last
	// Connection is which of the node's connections to NATS it comes by, and Number which heartbeat it is since messages
	// go out by that one, from 1 on; 0: none do yet.
	Connection uint64 `json:"connection,omitempty"`
	Number     uint64 `json:"number,omitempty"`
}

func (h *Heartbeat) check() string {
	if len(h.Reads) > MaxReads {
		return fmt.Sprintf("reads: want %d versions at most: got %d", MaxReads, len(h.Reads))
	}
	if !(h.Lag >= 0) || math.IsInf(h.Lag, 0) {
		return fmt.Sprintf("lag: want seconds: got %v", h.Lag)
	}
	if h.Sessions < 0 || h.Groups < 0 {
		return fmt.Sprintf("sessions, groups: want 0 or more: got %d, %d", h.Sessions, h.Groups)
	}
	return cmp.Or(tooLong("program", h.Program, MaxProgramBytes), checkProcess(h.Host, h.PID))
}

// checkProcess checks how a process is found.
func checkProcess(host string, pid int) string {
	if pid < 0 {
		return fmt.Sprintf("pid: want 0 or more: got %d", pid)
	}
	return tooLong("host", host, MaxHostBytes)
}

// Who asks, at the subject of the node's own name, who has it.
type Who struct{}

func (*Who) check() string { return "" }

// Here is the answer to it of another process that has the name.
type Here struct {
	Host       string `json:"host"`
	PID        int    `json:"pid"`
	Generation uint64 `json:"generation"`
}

func (h *Here) check() string { return checkProcess(h.Host, h.PID) }
