module groupcast/bench/plot

go 1.26

require golang.org/x/image v0.30.0

require golang.org/x/text v0.28.0 // indirect
