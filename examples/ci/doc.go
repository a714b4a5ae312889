// Package ci proves the kit in this folder as far as it goes without the services
// it is for: the YAML is held against linters and schemas, and the scripts in it
// run against real Git repositories.
package ci
