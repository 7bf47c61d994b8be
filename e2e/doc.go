// Package e2e holds the scenarios against the real program: its own processes, its command line,
// its API, git, the address of its proxy, and the files of its data directory. Nothing of the
// program is linked in. The tests need Linux: they look into /proc.
//
// The program is built once in a run, with the race detector if the tests have it. Whatever a run
// starts ends with it, also when the run is killed: package planttest sees to that. These variables
// change a run:
//
//	ANDON_KILLS=100      how often TestCrash kills the server; 10 if left out
//	ANDON_ROLLOUTS=200   how many deployments and rollbacks TestStrategies makes; 20 if left out
//	ANDON_SEED=4711      what its random choices follow from, to replay a run that failed
//	ANDON_E2E_KEEP=1     leaves the directories of the run there
package e2e
