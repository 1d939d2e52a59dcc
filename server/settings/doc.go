// Package settings is the table of what an operator can set: one row for each
// setting, with its name, default, bounds, what a reload may do with it, and where
// its value is. All else is made from the rows: the command line, the variables, the
// configuration file, --help, --print-config, REFERENCE.md, the checks, and what a
// reload reports.
//
// # Reading order
//
//   - setting.go: what a row is
//   - table.go, rows_*.go: the rows, a file for each part of the server
//   - options.go: where the values are, and their defaults
//   - kinds.go, bytesize.go, filemode.go, address.go: numbers, sizes, times, addresses
//   - tokens.go: keys, patterns
//   - checks.go: what two settings have to do with each other
//   - read.go, file.go: the command line, the environment and the file
//   - errors.go: what is wrong, as values; put into words here only
//   - write.go: the configuration file with all defaults, and the reference
//
// # A new setting
//
// A field, in Options or in the options of the package that has the limit (there
// with its default); a row; and the place that looks at the field. Then make
// reference.
//
// # Decisions
//
// 2026-11-25: the rows say what operators may set, and the packages below check
// their own options once more when they start: they are packages of their own, with
// tests of their own, and do not know this one. A test holds that both have the same
// bounds.
//
// 2026-11-25: kong stays the command line's library, and knows nothing of the
// settings: their flags are fields of a struct that reflect.StructOf makes from the
// rows, each of which takes any text. (pflag takes flags from a table without that,
// but has no commands, no arguments and no help with groups: those would be ours to
// write, and kong is needed by bench in any case.) So all mistakes are found by one
// reader, and told together.
//
// 2026-11-25: a value that a stronger place has beaten is not looked at: the
// environment of a container must be able to correct a file in its image. An empty
// variable is an error, and not a value: GROUPCAST_API_TOKEN= in the environment
// took the token of the file away, and a loopback API was open.
//
// 2026-11-25: variables that Kubernetes makes for a service called groupcast, or
// groupcast-something, are no settings and are passed over: a pod would not start
// because a developer has given a service a name.
package settings
