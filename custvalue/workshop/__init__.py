"""Ten lessons on customer value: notebooks for students and teachers, and the checks that explain a wrong answer."""

from custvalue.workshop.classroom import Classroom
from custvalue.workshop.lessons import LESSONS, Lesson, lesson
from custvalue.workshop.replies import Reply, Summary
from custvalue.workshop.writing import Written, write_workshop

__all__ = ["LESSONS", "Classroom", "Lesson", "Reply", "Summary", "Written", "lesson", "write_workshop"]
