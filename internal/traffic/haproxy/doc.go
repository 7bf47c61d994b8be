// Package haproxy is in progress.
package haproxy
