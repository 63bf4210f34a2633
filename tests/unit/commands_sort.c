/*
 * commands_sort.c - SORT, bits and HyperLogLogs in process: with few partitions, so that patterns
 * and destinations lie in others than the source.
 */
#include "commands_script.h"

SCRIPT(patterns_reach_keys_of_any_partition, {"RPUSH l a b c d e f g h", ":8"},
       {"MSET w:a 8 w:b 7 w:c 6 w:d 5 w:e 4 w:f 3 w:g 2 w:h 1", "+OK"},
       {"SORT l BY w:*", "*8 $1 h $1 g $1 f $1 e $1 d $1 c $1 b $1 a"},
       {"SORT l BY w:* DESC LIMIT 1 2 GET w:* GET #", "*4 $1 7 $1 b $1 6 $1 c"},
       {"SORT l BY w:* LIMIT 0 3 STORE d", ":3"}, {"LRANGE d 0 -1", "*3 $1 h $1 g $1 f"},
       {"SORT l BY none GET w:* LIMIT 7 5 STORE d", ":1"}, {"LRANGE d 0 -1", "*1 $1 1"})

SCRIPT(patterns_own_all_in_a_transaction_too, {"RPUSH l 1 2 3", ":3"},
       {"MSET w1 3 w2 2 w3 1", "+OK"}, {"MULTI", "+OK"}, {"SORT l BY w* STORE x", "+QUEUED"},
       {"SORT x GET w*", "+QUEUED"}, {"EXEC", "*2 :3 *3 $1 3 $1 2 $1 1"})

SCRIPT(a_stored_result_takes_the_place_of_anything, {"RPUSH l 2 1", ":2"},
       {"SET d x EX 100", "+OK"}, {"SORT l STORE d", ":2"}, {"TYPE d", "+list"}, {"TTL d", ":-1"},
       {"SORT l STORE l", ":2"}, {"LRANGE l 0 -1", "*2 $1 1 $1 2"}, {"SORT none STORE d", ":0"},
       {"EXISTS d", ":0"})

SCRIPT(bits_of_several_keys_combine, {"MSET a abc b ABD c xyzt", "+OK"}, {"BITOP AND d a b", ":3"},
       {"GET d", "$3 AB@"}, {"BITOP XOR d a b c", ":4"}, {"BITOP OR d a b", ":3"},
       {"GET d", "$3 abg"}, {"BITOP ONE d a b", ":3"}, {"BITCOUNT d", ":6"},
       {"BITOP DIFF d none a", ":3"}, {"BITCOUNT d", ":0"})

SCRIPT(sketches_merge_over_partitions, {"PFADD a 1 2 3", ":1"}, {"PFADD b 3 4 5", ":1"},
       {"PFCOUNT a b", ":5"}, {"PFMERGE c a b", "+OK"}, {"PFCOUNT c", ":5"},
       {"PFMERGE alone", "+OK"}, {"PFCOUNT alone", ":0"}, {"PFSELFTEST", "+OK"})

int main(void)
{
    static struct script *scripts[] = {&patterns_reach_keys_of_any_partition_script,
                                       &patterns_own_all_in_a_transaction_too_script,
                                       &a_stored_result_takes_the_place_of_anything_script,
                                       &bits_of_several_keys_combine_script,
                                       &sketches_merge_over_partitions_script,
                                       NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_reach_keys_of_any_partition),
        cmocka_unit_test(patterns_own_all_in_a_transaction_too),
        cmocka_unit_test(a_stored_result_takes_the_place_of_anything),
        cmocka_unit_test(bits_of_several_keys_combine),
        cmocka_unit_test(sketches_merge_over_partitions),
    };
    if (run_scripts(scripts) != RT_OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
