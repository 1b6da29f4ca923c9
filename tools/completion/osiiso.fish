# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of osiiso for fish.

function __osiiso_backends
    command osiiso backends 2>/dev/null | sed -n '2,/^$/s/ .*//p'
end

function __osiiso_settings
    command osiiso backends 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1=/p' | sort -u
end

set -l jobs '__fish_seen_subcommand_from run call'
set -l run '__fish_seen_subcommand_from run'
set -l call '__fish_seen_subcommand_from call'

complete -c osiiso -n __fish_use_subcommand -x -a run -d 'Run a command for each input'
complete -c osiiso -n __fish_use_subcommand -x -a call -d 'Call a function for each input'
complete -c osiiso -n __fish_use_subcommand -x -a backends -d 'List the backends'
complete -c osiiso -n __fish_use_subcommand -l version -d 'Show the version'
complete -c osiiso -l help -d 'Show the options'

complete -c osiiso -n $jobs -s j -l jobs -x -d 'How many run at a time'
complete -c osiiso -n $jobs -l retries -x -d 'Attempts after one that failed'
complete -c osiiso -n $jobs -l retry-delay -x -d 'Wait before the second attempt'
complete -c osiiso -n $jobs -l backoff -x -d 'Factor of each further wait'
complete -c osiiso -n $jobs -l max-retry-delay -x -d 'The longest such wait'
complete -c osiiso -n $jobs -l jitter -x -d 'Part by which waits are changed at random'
complete -c osiiso -n $jobs -l timeout -x -d 'End an attempt that takes longer'
complete -c osiiso -n $jobs -l rate -x -d 'Attempts per second'
complete -c osiiso -n $jobs -l burst -x -d 'Attempts at once'
complete -c osiiso -n $jobs -l fail-first -d 'End everything when one job has failed'
complete -c osiiso -n $jobs -l halt -x -a 'never soon now' -d 'What to do when one job has failed'
complete -c osiiso -n $jobs -l set -x -a '(__osiiso_settings)' -d 'Change a setting of the backend'
complete -c osiiso -n $jobs -s a -l arg-file -r -F -d 'Read inputs from a file'
complete -c osiiso -n $jobs -s 0 -l null -d 'Inputs end with NUL'
complete -c osiiso -n $jobs -s d -l delimiter -x -d 'Inputs end with that'
complete -c osiiso -n $jobs -s r -l no-run-if-empty -d 'Leave out empty lines'
complete -c osiiso -n $jobs -s n -l max-args -x -d 'Inputs in one job'
complete -c osiiso -n $jobs -s C -l colsep -x -d 'Text between columns'
complete -c osiiso -n $jobs -l priority-from -x -d 'Column that is the priority'
complete -c osiiso -n $jobs -s I -l replace -x -d 'Text to replace instead of {}'
complete -c osiiso -n $jobs -s k -l keep-order -d 'Print in the order of the inputs'
complete -c osiiso -n $jobs -l tag -d 'Begin each line with the input'
complete -c osiiso -n $jobs -l joblog -r -F -d 'Write a line for each job'
complete -c osiiso -n $jobs -l resume -d 'Leave out jobs of the joblog'
complete -c osiiso -n $jobs -l resume-failed -d 'Leave out jobs that succeeded in the joblog'
complete -c osiiso -n $jobs -l dry-run -d 'Only print what would be run'
complete -c osiiso -n "$jobs; or __fish_seen_subcommand_from backends" -l json -d 'Write JSON'
complete -c osiiso -n $jobs -l progress -d 'Tell how far it is'
complete -c osiiso -n $jobs -l no-progress -d 'Do not tell how far it is'
complete -c osiiso -n $jobs -s v -l verbose -d 'Say what is run, retried and failed'
complete -c osiiso -n $jobs -s q -l quiet -d 'Say nothing of jobs that failed'

complete -c osiiso -n $run -l output-limit -x -d 'How much a job may print'
complete -c osiiso -n $run -l line-buffer -d 'Print lines of jobs as they come'
complete -c osiiso -n $run -s u -l ungroup -d 'Let jobs print directly'
complete -c osiiso -n $run -l shell -d 'The command is a line for sh'
complete -c osiiso -n $run -l workdir -x -a '(__fish_complete_directories)' -d 'Folder that jobs run in'
complete -c osiiso -n $run -a '(__fish_complete_subcommand --fcs-skip=2)'

complete -c osiiso -n $call -l backend -x -a '(__osiiso_backends)' -d 'Where the functions run'
complete -c osiiso -n $call -s t -l type -x -d 'What type inputs are'
