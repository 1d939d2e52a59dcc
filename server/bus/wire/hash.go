package wire

// Hash is a group's name as 64 bits: FNV-1a, by hand since the one of hash/fnv allocates. Nodes tell
// each other groups by it, so it is the same on all of them, in all versions.
func Hash(name string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(name) {
		h ^= uint64(name[i])
		h *= prime
	}
	return h
}
