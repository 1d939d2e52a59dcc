//go:build race

package protocol

// raceDetector says that pools drop at random what is put into them.
const raceDetector = true
