package workerman

import (
	"crypto/rand"
	"encoding/hex"
	"sync"

	"groupcast/protocol/workerman"
)

// Node is this groupcast among others: its Server and its Clients share one, by
// which they know what they have had already.
type Node struct {
	// ID is a random name, new with each start.
	ID string

	mu    sync.Mutex
	peers map[string]int // groupcasts that subscribe at our Server, connections each
}

// NewNode returns a node with a new name.
func NewNode() *Node {
	var id [workerman.NodeIDBytes / 2]byte
	_, _ = rand.Read(id[:]) // it never fails: see its documentation
	return &Node{ID: hex.EncodeToString(id[:]), peers: make(map[string]int)}
}

func (n *Node) come(peer string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.peers[peer]++
}

func (n *Node) leave(peer string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.peers[peer]--; n.peers[peer] == 0 {
		delete(n.peers, peer)
	}
}

// hasPeer says whether the groupcast of that name subscribes at our Server.
func (n *Node) hasPeer(peer []byte) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.peers[string(peer)] > 0
}

// Peers is how many groupcasts subscribe at our Server.
func (n *Node) Peers() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.peers)
}
