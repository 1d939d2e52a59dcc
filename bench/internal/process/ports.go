package process

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are looked for below the range that the kernel gives connections theirs from: there, one that was free a moment
// ago may be a client's when the program listens.
const (
	firstPort = 20000
	ports     = 10000
	attempts  = 1000
)

// FreePorts finds n different TCP ports that nothing listens on at 127.0.0.1.
func FreePorts(n int) ([]int, error) {
	found := make([]int, 0, n)
	for range attempts {
		if len(found) == n {
			break
		}
		port := firstPort + rand.IntN(ports)
		listener, err := net.Listen("tcp", address(port))
		if err != nil {
			continue
		}
		defer listener.Close() // all at the end, so that none is found twice
		found = append(found, port)
	}
	if len(found) < n {
		return nil, fmt.Errorf("%d free ports of %d found, from %d on, in %d attempts", len(found), n, firstPort, attempts)
	}
	return found, nil
}

// FreeAddresses are those ports with 127.0.0.1 before them.
func FreeAddresses(n int) ([]string, error) {
	free, err := FreePorts(n)
	if err != nil {
		return nil, err
	}
	addresses := make([]string, n)
	for i, port := range free {
		addresses[i] = address(port)
	}
	return addresses, nil
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
